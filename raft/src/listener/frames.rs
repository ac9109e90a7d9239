//! What a connection costs besides its requests: the frames of HTTP/2 that carry none.
//!
//! PING, SETTINGS, RST_STREAM, WINDOW_UPDATE and frames without content cost the sender a few bytes and
//! the receiver work, as often as the sender likes. Here they have an allowance: a burst, a steady rate,
//! and what the connection earns by taking answers. Only frame heads are looked at (RFC 9113, 4.1);
//! whether a frame is in order is decided by those who read it.

use std::time::{Duration, Instant};

/// How a connection begins that speaks HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
/// Bytes of answers that earn one frame: less than the smallest answer has.
const EARNS_BYTES: usize = 32;

/// The allowance of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    /// Frames without a request or content that may come at once.
    pub burst: u32,
    /// How many more may come in every second.
    pub per_second: u32,
}

/// Follows what one connection sends.
pub(super) struct Frames {
    rate: FrameRate,
    stage: Stage,
    allowance: f64,
    filled_at: Instant,
    earned_bytes: usize,
}

enum Stage {
    /// So many bytes of the preface have come.
    Greeting(usize),
    /// It does not speak HTTP/2.
    Other,
    /// So many bytes of a frame's head have come.
    Head([u8; HEAD], usize),
    /// So many bytes of a frame's content are still to come.
    Content(usize),
}

/// The allowance is used up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exceeded;

impl Frames {
    pub(super) fn new(rate: FrameRate, now: Instant) -> Self {
        let allowance = f64::from(rate.burst);
        Self { rate, stage: Stage::Greeting(0), allowance, filled_at: now, earned_bytes: 0 }
    }

    /// Whether it is not known yet what the connection speaks.
    pub(super) fn is_greeting(&self) -> bool {
        matches!(self.stage, Stage::Greeting(_))
    }

    /// Takes note of what the connection sent.
    pub(super) fn received(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Exceeded> {
        let mut cost = 0_u32;
        while !bytes.is_empty() {
            match &mut self.stage {
                Stage::Other => return Ok(()),
                Stage::Greeting(seen) => {
                    let awaited = &PREFACE[*seen..];
                    let both = awaited.len().min(bytes.len());
                    if awaited[..both] != bytes[..both] {
                        self.stage = Stage::Other;
                        return Ok(());
                    }
                    *seen += both;
                    bytes = &bytes[both..];
                    if *seen == PREFACE.len() {
                        self.stage = Stage::Head([0; HEAD], 0);
                    }
                }
                Stage::Head(head, seen) => {
                    let both = (HEAD - *seen).min(bytes.len());
                    head[*seen..*seen + both].copy_from_slice(&bytes[..both]);
                    *seen += both;
                    bytes = &bytes[both..];
                    if *seen == HEAD {
                        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
                        let kind = head[3];
                        cost += u32::from(!(kind == HEADERS || kind == DATA && length > 0));
                        self.stage = match length {
                            0 => Stage::Head([0; HEAD], 0),
                            length => Stage::Content(length),
                        };
                    }
                }
                Stage::Content(left) => {
                    let both = (*left).min(bytes.len());
                    *left -= both;
                    bytes = &bytes[both..];
                    if *left == 0 {
                        self.stage = Stage::Head([0; HEAD], 0);
                    }
                }
            }
        }
        if cost == 0 { Ok(()) } else { self.pay(cost, now) }
    }

    /// Takes note of bytes that the other end took.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.earned_bytes += bytes;
    }

    fn pay(&mut self, frames: u32, now: Instant) -> Result<(), Exceeded> {
        let passed: Duration = now.saturating_duration_since(self.filled_at);
        let earned = (self.earned_bytes / EARNS_BYTES) as f64;
        let more = passed.as_secs_f64() * f64::from(self.rate.per_second) + earned;
        self.allowance = (self.allowance + more).min(f64::from(self.rate.burst));
        (self.filled_at, self.earned_bytes) = (now, self.earned_bytes % EARNS_BYTES);
        self.allowance -= f64::from(frames);
        if self.allowance < 0.0 { Err(Exceeded) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const RATE: FrameRate = FrameRate { burst: 10, per_second: 5 };

    fn frame(kind: u8, content: usize) -> Vec<u8> {
        let length = u32::try_from(content).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, 0, 0, 0, 0, 1];
        frame.resize(HEAD + content, 0xaa);
        frame
    }

    fn begun(now: Instant) -> Frames {
        let mut frames = Frames::new(RATE, now);
        frames.received(PREFACE, now).unwrap();
        frames
    }

    #[test]
    fn frames_without_a_request_have_a_burst_and_a_rate() {
        let now = Instant::now();
        for kind in [2, 3, 4, 6, 7, 8, 9, 0x77] {
            let mut frames = begun(now);
            for _ in 0..10 {
                assert_eq!(frames.received(&frame(kind, 4), now), Ok(()), "kind {kind}");
            }
            assert_eq!(frames.received(&frame(kind, 4), now), Err(Exceeded), "kind {kind}");
        }
        let mut frames = begun(now);
        for second in 1..100 {
            let now = now + Duration::from_secs(second);
            assert_eq!(frames.received(&frame(6, 8).repeat(5), now), Ok(()), "a steady rate");
        }
    }

    #[test]
    fn requests_and_their_content_are_free_and_empty_content_is_not() {
        let now = Instant::now();
        let mut frames = begun(now);
        for _ in 0..1000 {
            frames.received(&frame(HEADERS, 40), now).unwrap();
            frames.received(&frame(DATA, 500), now).unwrap();
        }
        assert_eq!(frames.received(&frame(DATA, 0).repeat(11), now), Err(Exceeded));
    }

    #[test]
    fn whoever_takes_answers_may_say_so() {
        let now = Instant::now();
        let mut frames = begun(now);
        for _ in 0..1000 {
            frames.sent(16 << 10);
            assert_eq!(frames.received(&frame(8, 4).repeat(3), now), Ok(()));
        }
        frames.sent(1 << 30);
        assert_eq!(
            frames.received(&frame(8, 4).repeat(11), now),
            Err(Exceeded),
            "nothing is saved"
        );
    }

    #[test]
    fn what_is_not_http2_is_left_to_others() {
        let now = Instant::now();
        for text in ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", "\0\0\0"] {
            let mut frames = Frames::new(RATE, now);
            assert!(frames.is_greeting());
            frames.received(text.as_bytes(), now).unwrap();
            assert!(!frames.is_greeting());
            assert_eq!(frames.received(&frame(6, 8).repeat(100), now), Ok(()));
        }
    }

    proptest! {
        /// However the bytes are cut, the same frames are seen.
        #[test]
        fn cuts_do_not_matter(
            kinds in proptest::collection::vec((0_u8..10, 0_usize..40), 0..40),
            cuts in proptest::collection::vec(1_usize..30, 1..200),
        ) {
            let now = Instant::now();
            let stream: Vec<u8> =
                kinds.iter().flat_map(|(kind, content)| frame(*kind, *content)).collect();
            let mut whole = begun(now);
            let outcome = whole.received(&stream, now);
            let (mut cut, mut rest, mut cuts) = (begun(now), stream.as_slice(), cuts.iter().cycle());
            let mut in_parts = Ok(());
            while in_parts.is_ok() && !rest.is_empty() {
                let (part, behind) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                in_parts = cut.received(part, now);
                rest = behind;
            }
            prop_assert_eq!(outcome, in_parts);
        }
    }
}
