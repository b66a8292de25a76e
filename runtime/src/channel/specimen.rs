//! Channels whose memory somebody has damaged, for tests and fuzzers: whatever is in it, a call ends, with a value or an error.

use super::ends::{End, Patience, pair, send_value};
use super::ring::{Limits, Which};
use crate::wire::bytes::Bytes;

/// What is done to a channel, one after the other: sends, receives and damage, as many as the bytes tell of.
pub(crate) fn use_damaged(data: &[u8]) {
    let Some((&limits, mut rest)) = data.split_first() else { return };
    let limit = |on: bool, most: u64| on.then_some(most);
    let limits = Limits { count: limit(limits & 1 != 0, 3), bytes: limit(limits & 2 != 0, 200_000) };
    // Without descriptors there is nothing to damage.
    let Ok((sending, receiving)) = pair(limits, 0) else { return };
    let receiving = if data[0] & 4 != 0 { receiving.with_tally() } else { receiving };
    while let Some((&what, after)) = rest.split_first() {
        rest = match what % 8 {
            0 => send(&sending, 100, after),
            1 => send(&sending, 10_000, after),
            2 => send(&sending, 40_000, after),
            3 => {
                let _refused = receiving.receive::<(u64, Bytes)>(Patience::None);
                after
            }
            4 => damage(&sending, after, 0, 128),
            5 => damage(&sending, after, 0, 6 * 1024),
            6 => damage(&sending, after, 32 * 1024, 128),
            _ => damage(&sending, after, 32 * 1024, 32 * 1024),
        };
        let ring = &sending.ring;
        let _told = (ring.len(), ring.has_data(), ring.has_room(1000), ring.unfinished(), ring.finish_one());
        let _struck_out = ring.strike_out_lost();
    }
    for which in [Which::Senders, Which::Receivers] {
        let _refused = sending.ring.lock(which, None);
    }
}

/// Sends so many bytes, in line or beside the value.
fn send<'a>(end: &End, length: usize, rest: &'a [u8]) -> &'a [u8] {
    let _refused = send_value(end, &(7_u64, Bytes::from(vec![1; length])), Patience::None);
    rest
}

/// Puts a word somewhere among so many, from a word on.
fn damage<'a>(end: &End, rest: &'a [u8], from: usize, among: usize) -> &'a [u8] {
    let Some((place, rest)) = rest.split_first_chunk::<2>() else { return &[] };
    let Some((word, rest)) = rest.split_first_chunk::<8>() else { return &[] };
    end.ring.damage(from + usize::from(u16::from_le_bytes(*place)) % among, u64::from_le_bytes(*word));
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A consumer that has finished as many as can be counted, found by a fuzzer.
    #[test]
    fn a_count_at_its_end_is_not_counted_on() {
        let mut data = b"\x8f\x28\x32\x32\xa3\x0c\xe9".to_vec();
        data.extend([0xff; 54]);
        data.extend(*b"kk");
        use_damaged(&data);
    }

    proptest! {
        #[test]
        fn a_channel_whose_memory_is_damaged_gives_values_or_errors(
            steps in proptest::collection::vec((any::<u8>(), any::<u16>(), any::<u64>(), 0..64_u32), 1..30)
        ) {
            let mut data = vec![steps[0].0];
            for (what, place, word, shift) in steps {
                data.push(what);
                if what % 8 >= 4 {
                    data.extend(place.to_le_bytes());
                    data.extend((word >> shift).to_le_bytes());
                }
            }
            use_damaged(&data);
        }
    }
}
