//! What the switch reads of a packet, and the few that it writes itself. IPv4 only: that is what the
//! namespaces speak.

use super::End;
use std::net::Ipv4Addr;

/// The header without options (RFC 791, 3.1), and that of TCP (RFC 9293, 3.1).
const IP: usize = 20;
const TCP: usize = 20;
const PROTOCOL_TCP: u8 = 6;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
/// The last number of the clients' address.
const CLIENTS: u8 = 250;

/// The address of an end.
pub(super) fn address(end: End) -> Ipv4Addr {
    let host = match end {
        End::Node(n) => u8::try_from(n + 1).unwrap_or(u8::MAX),
        End::Clients => CLIENTS,
    };
    Ipv4Addr::new(10, 77, 0, host)
}

/// Where a packet goes. None if it is no IPv4 packet to one of so many nodes or the clients.
pub(super) fn destination(packet: &[u8], nodes: usize) -> Option<End> {
    payload(packet)?;
    match packet[16..20] {
        [10, 77, 0, CLIENTS] => Some(End::Clients),
        [10, 77, 0, host] if (1..=nodes).contains(&usize::from(host)) => {
            Some(End::Node(usize::from(host) - 1))
        }
        _ => None,
    }
}

/// Flips bits of one byte behind the IP header, so that only the sums of TCP and UDP can tell.
pub(super) fn damage(packet: &mut [u8], place: u64, flip: u8) {
    if let Some(start) = payload(packet).filter(|start| *start < packet.len()) {
        let length = (packet.len() - start) as u64;
        packet[start + (place % length) as usize] ^= flip;
    }
}

/// The answer of a machine that has no such connection (RFC 9293, 3.10.7.1), written into `answer`; how
/// long it is. None for what is no TCP segment, or a reset itself.
pub(super) fn reset(packet: &[u8], answer: &mut [u8]) -> Option<usize> {
    let start = payload(packet)?;
    let segment = packet.get(start..)?;
    let flags = *segment.get(13)?;
    if packet[9] != PROTOCOL_TCP || segment.len() < TCP || flags & RST != 0 {
        return None;
    }
    let answer = answer.get_mut(..IP + TCP)?;
    answer.fill(0);
    answer[0] = 0x45;
    answer[3] = (IP + TCP) as u8;
    answer[8] = 64;
    answer[9] = PROTOCOL_TCP;
    answer[12..16].copy_from_slice(&packet[16..20]);
    answer[16..20].copy_from_slice(&packet[12..16]);
    let sum = checksum(answer[..IP].iter().copied(), 0);
    answer[10..12].copy_from_slice(&sum.to_be_bytes());

    let tcp = &mut answer[IP..];
    tcp[0..2].copy_from_slice(&segment[2..4]);
    tcp[2..4].copy_from_slice(&segment[0..2]);
    tcp[12] = 5 << 4;
    if flags & ACK != 0 {
        tcp[4..8].copy_from_slice(&segment[8..12]);
        tcp[13] = RST;
    } else {
        let header = usize::from(segment[12] >> 4) * 4;
        let text = segment.len().saturating_sub(header) as u32;
        let marks = u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        let sequence = u32::from_be_bytes([segment[4], segment[5], segment[6], segment[7]]);
        tcp[8..12].copy_from_slice(&sequence.wrapping_add(text + marks).to_be_bytes());
        tcp[13] = RST | ACK;
    }
    let pseudo = u32::from(PROTOCOL_TCP) + TCP as u32;
    let sum = checksum(answer[12..].iter().copied(), pseudo);
    answer[IP + 16..IP + 18].copy_from_slice(&sum.to_be_bytes());
    Some(answer.len())
}

/// Where the header of a whole IPv4 packet ends.
fn payload(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let header = usize::from(first & 0xf) * 4;
    (first >> 4 == 4 && header >= IP && packet.len() >= header).then_some(header)
}

/// The sum of the internet (RFC 1071) of an even number of bytes.
fn checksum(bytes: impl Iterator<Item = u8>, start: u32) -> u16 {
    let mut sum = start;
    for (n, byte) in bytes.enumerate() {
        sum += u32::from(byte) << (8 * ((n + 1) % 2));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_end_is_found_by_its_address() {
        for end in [End::Node(0), End::Node(4), End::Clients] {
            let mut packet = vec![0; IP];
            packet[0] = 0x45;
            packet[16..20].copy_from_slice(&address(end).octets());
            assert_eq!(destination(&packet, 5), Some(end));
        }
    }

    proptest! {
        /// Nothing that a kernel hands over can stop the switch.
        #[test]
        fn any_bytes_are_looked_at_without_a_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..100), place: u64, flip in 1u8..,
            ipv4: bool,
        ) {
            if let (true, Some(first)) = (ipv4, bytes.first_mut()) {
                *first = 0x45;
            }
            let before = bytes.clone();
            let _ = destination(&bytes, 5);
            let _ = reset(&bytes, &mut [0; 64]);
            damage(&mut bytes, place, flip);
            let changed = before.iter().zip(&bytes).filter(|(a, b)| a != b).count();
            let can = payload(&before).is_some_and(|start| start < before.len());
            prop_assert_eq!(changed, usize::from(can));
        }
    }
}
