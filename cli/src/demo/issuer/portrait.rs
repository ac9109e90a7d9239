//! A portrait of nobody: a valid JPEG of about a wanted size, the same bytes every time.
//!
//! Baseline, grey, one scan (ITU-T T.81). The low frequency of each 8×8 block draws a head and
//! shoulders; the others carry noise too faint to see, which is what gives the file its size, as the
//! grain of a camera does. All Huffman codes of a table have one length, so that the tables are lists.

/// Blocks per row and per column: 240 × 320 pixels.
const COLUMNS: i32 = 30;
const ROWS: i32 = 40;

/// Length of a code for a low frequency; its 12 symbols are the sizes 0 to 11.
const DC_CODE_BITS: u32 = 4;
/// Length of a code for another frequency.
const AC_CODE_BITS: u32 = 2;
/// Those symbols: end of block, and a value of three bits behind no zeros.
const AC_SYMBOLS: [u8; 2] = [0x00, 0x03];
const END_OF_BLOCK: u32 = 0;
const VALUE: u32 = 1;
/// Bits of such a value: 4 to 7 or -4 to -7, of 1,000 and more between black and white.
const VALUE_BITS: u32 = 3;

/// A JPEG of about `len` bytes, within a tenth, between 2 and 48 KiB.
pub(super) fn jpeg(len: usize) -> Vec<u8> {
    let mut file = header();
    let blocks = (COLUMNS * ROWS) as usize;
    // The code of the low frequency, mostly without a difference, and the end of the block.
    let overhead = (DC_CODE_BITS + AC_CODE_BITS) as usize;
    let bits = (len.saturating_sub(file.len()) * 8 / blocks).saturating_sub(overhead);
    let noise = (bits / (AC_CODE_BITS + VALUE_BITS) as usize).min(63);
    let mut scan = Bits::default();
    let mut grain = Grain(0x9e37_79b9_7f4a_7c15);
    let mut last = 0;
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let shade = shade(column, row);
            scan.low_frequency(shade - last);
            last = shade;
            for _ in 0..noise {
                scan.put(VALUE, AC_CODE_BITS);
                scan.put(grain.next_value(), VALUE_BITS);
            }
            if noise < 63 {
                scan.put(END_OF_BLOCK, AC_CODE_BITS);
            }
        }
    }
    file.extend(scan.finish());
    file.extend([0xff, 0xd9]);
    file
}

/// The low frequency of a block, eight times its brightness above the middle grey.
fn shade(column: i32, row: i32) -> i32 {
    let (x, y) = (2 * column - COLUMNS + 1, 2 * row - ROWS + 1);
    let head = 3 * x * x + 2 * (y + 8) * (y + 8) < 800;
    let shoulders = x * x + 2 * (y - 42) * (y - 42) < 1100;
    match (head, shoulders) {
        (true, _) => 420,
        (false, true) => -560,
        (false, false) => 40 - 8 * row,
    }
}

/// Everything before the scan.
fn header() -> Vec<u8> {
    let mut file = vec![0xff, 0xd8];
    segment(&mut file, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    // Quantisation: nothing is divided.
    segment(&mut file, 0xdb, &[&[0][..], &[1; 64]].concat());
    let (height, width) = ((ROWS * 8) as u16, (COLUMNS * 8) as u16);
    let size = [height.to_be_bytes(), width.to_be_bytes()].concat();
    segment(&mut file, 0xc0, &[&[8][..], &size, &[1, 1, 0x11, 0]].concat());
    let dc_symbols: Vec<u8> = (0..12).collect();
    huffman_table(&mut file, 0x00, DC_CODE_BITS, &dc_symbols);
    huffman_table(&mut file, 0x10, AC_CODE_BITS, &AC_SYMBOLS);
    segment(&mut file, 0xda, &[1, 1, 0x00, 0, 63, 0]);
    file
}

/// A table whose codes are the numbers of the symbols, all of one length.
fn huffman_table(file: &mut Vec<u8>, id: u8, code_bits: u32, symbols: &[u8]) {
    let mut counts = [0; 16];
    counts[code_bits as usize - 1] = symbols.len() as u8;
    segment(file, 0xc4, &[&[id][..], &counts, symbols].concat());
}

fn segment(file: &mut Vec<u8>, marker: u8, content: &[u8]) {
    file.extend([0xff, marker]);
    file.extend((content.len() as u16 + 2).to_be_bytes());
    file.extend(content);
}

/// The bits of a scan.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        self.pending = self.pending << bits | value;
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.pending >> self.count) as u8;
            self.pending &= (1 << self.count) - 1;
            self.bytes.push(byte);
            // A byte of ones would begin a marker.
            if byte == 0xff {
                self.bytes.push(0);
            }
        }
    }

    /// The difference to the block before: its size in bits, then that many bits of it.
    fn low_frequency(&mut self, difference: i32) {
        let size = 32 - difference.unsigned_abs().leading_zeros();
        self.put(size, DC_CODE_BITS);
        // Negative numbers are written one less, so that the first bit tells the sign.
        let value = if difference < 0 { difference - 1 } else { difference };
        self.put(value as u32 & ((1 << size) - 1), size);
    }

    /// Filled up with ones.
    fn finish(mut self) -> Vec<u8> {
        let missing = (8 - self.count) % 8;
        self.put((1 << missing) - 1, missing);
        self.bytes
    }
}

/// Noise that is the same every time (xorshift64).
struct Grain(u64);

impl Grain {
    fn next_value(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> (64 - VALUE_BITS)) as u32
    }
}
