//! A second reader and writer of the values' encoding, from its description alone.
//!
//! ```text
//! value    = version 01 ‖ fields
//! u8, bool = one byte; an array of u8 = its bytes
//! number   = below 251: one byte; else 251 ‖ u16, 252 ‖ u32 or 253 ‖ u64, the shortest that fits, little-endian
//! bytes, text, list = number of elements ‖ elements
//! option   = 00, or 01 ‖ value
//! choice   = number of the variant ‖ its fields
//! ```

/// What a value is made of.
#[derive(Clone)]
pub(super) enum Shape {
    /// One byte as it is: also a bool.
    Byte,
    Number,
    /// So many bytes as they are.
    Array(usize),
    /// Bytes or text, with their length in front.
    Bytes,
    Option(Box<Shape>),
    Sequence(Box<Shape>),
    Fields(Vec<Shape>),
    Choice(Vec<Shape>),
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Byte(u8),
    Number(u64),
    Array(Vec<u8>),
    Bytes(Vec<u8>),
    Option(Option<Box<Value>>),
    List(Vec<Value>),
    Sequence(Vec<Value>),
    Choice(u64, Box<Value>),
}

impl Shape {
    /// The value of these bytes, all of them.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<Value> {
        let mut rest = bytes.strip_prefix(&[1])?;
        let value = self.take(&mut rest)?;
        rest.is_empty().then_some(value)
    }

    /// Reads the bytes, writes the value, and holds both against each other.
    pub(super) fn check(&self, name: &str, bytes: &[u8]) {
        let value = self
            .read(bytes)
            .unwrap_or_else(|| panic!("{name} is not as its shape says: {}", hex::encode(bytes)));
        let mut written = vec![1];
        value.write(&mut written);
        assert_eq!(written, bytes, "{name}");
    }

    fn take(&self, rest: &mut &[u8]) -> Option<Value> {
        Some(match self {
            Shape::Byte => Value::Byte(take(rest, 1)?[0]),
            Shape::Number => Value::Number(number(rest)?),
            Shape::Array(length) => Value::Array(take(rest, *length)?.to_vec()),
            Shape::Bytes => {
                let length = number(rest)?;
                Value::Bytes(take(rest, length as usize)?.to_vec())
            }
            Shape::Option(shape) => Value::Option(match take(rest, 1)?[0] {
                0 => None,
                1 => Some(Box::new(shape.take(rest)?)),
                _ => return None,
            }),
            Shape::Sequence(shape) => {
                let length = number(rest)?;
                Value::Sequence((0..length).map(|_| shape.take(rest)).collect::<Option<_>>()?)
            }
            Shape::Fields(shapes) => {
                Value::List(shapes.iter().map(|shape| shape.take(rest)).collect::<Option<_>>()?)
            }
            Shape::Choice(shapes) => {
                let variant = number(rest)?;
                Value::Choice(variant, Box::new(shapes.get(variant as usize)?.take(rest)?))
            }
        })
    }
}

impl Value {
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Value::Byte(byte) => bytes.push(*byte),
            Value::Number(number) => write_number(*number, bytes),
            Value::Array(array) => bytes.extend(array),
            Value::Bytes(inner) => {
                write_number(inner.len() as u64, bytes);
                bytes.extend(inner);
            }
            Value::Option(None) => bytes.push(0),
            Value::Option(Some(value)) => {
                bytes.push(1);
                value.write(bytes);
            }
            Value::Sequence(values) => {
                write_number(values.len() as u64, bytes);
                values.iter().for_each(|value| value.write(bytes));
            }
            Value::List(values) => values.iter().for_each(|value| value.write(bytes)),
            Value::Choice(variant, value) => {
                write_number(*variant, bytes);
                value.write(bytes);
            }
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let first = take(rest, 1)?[0];
    let length = match first {
        0..=250 => return Some(first.into()),
        251 => 2,
        252 => 4,
        253 => 8,
        _ => return None,
    };
    let bytes = take(rest, length)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn write_number(number: u64, bytes: &mut Vec<u8>) {
    let little = number.to_le_bytes();
    let (mark, length) = match number {
        0..251 => (number as u8, 0),
        251..0x1_0000 => (251, 2),
        0x1_0000..0x1_0000_0000 => (252, 4),
        _ => (253, 8),
    };
    bytes.push(mark);
    bytes.extend(&little[..length]);
}
