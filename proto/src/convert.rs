//! Conversions between the wire and `types`: `TryFrom` inwards, `From` outwards.
