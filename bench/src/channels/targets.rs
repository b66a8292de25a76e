//! What the channels are to reach.

use super::results::Results;
use crate::placement::Placement::{self, Apart, Free, Pinned};
use crate::targets::Limit::{AtLeast, AtMost};
use crate::targets::{Target, both, quotient};
use crate::units::{duration, number};

const OURS: &str = "offspring";
const MIB: usize = 1 << 20;
const BIG: usize = 64 * MIB;

/// The quicker of two.
fn best(values: [Option<f64>; 2]) -> Option<f64> {
    values.into_iter().flatten().min_by(f64::total_cmp)
}

/// The quicker of the two rings written by hand. Placed freely, the kernel puts both ends on one CPU now and then, which
/// a ring that spins suffers from: what it does on two CPUs counts there, too.
pub(crate) fn best_ring(results: &Results, placement: Placement) -> Option<f64> {
    let there = |placement| best(["ring-spin", "ring-sleep"].map(|id| results.round_trip(id, placement, 8)));
    match placement {
        Free => best([Free, Apart].map(there)),
        _ => there(placement),
    }
}

/// All of them.
pub(crate) fn targets(results: &Results) -> Vec<Target> {
    let round_trip = |id, placement, size| results.round_trip(id, placement, size);
    let mut targets = Vec::new();
    for placement in Placement::ALL {
        let (ours, ring) = (round_trip(OURS, placement, 8), best_ring(results, placement));
        targets.push(Target::new(
            &format!("8 B round trip at most 1.5× of the best hand-written ring, {}", placement.label()),
            quotient(ours, ring),
            AtMost(1.5),
            |ratio| format!("{}×: {}", number(ratio), both(ours, ring, duration)),
        ));
    }
    for (placement, times, place) in [(Pinned, 1.8, "on one core"), (Apart, 20.0, "across cores")] {
        let (ours, peer) = (round_trip(OURS, placement, 8), round_trip("ipc-channel", placement, 8));
        targets.push(Target::new(
            &format!("8 B round trip at least {times}× faster than ipc-channel {place}"),
            quotient(peer, ours),
            AtLeast(times),
            |ratio| format!("{}×: {}", number(ratio), both(ours, peer, duration)),
        ));
    }
    let rate = |id| results.one_way(id, Free, 8).map(|ns| 1e3 / ns);
    let (ours, peer) = (rate(OURS), rate("ipc-channel"));
    let wanted = peer.map(|peer| (10.0 * peer).max(10.0));
    targets.push(Target::new(
        "one-way 8 B messages at 10 million a second or 10× ipc-channel, whichever is more",
        quotient(ours, wanted),
        AtLeast(1.0),
        |_| format!("{}, in millions", both(ours, peer, number)),
    ));
    targets.extend(large(results));
    let rate = |id| results.crowd(id, Free).map(|ns| 1e3 / ns);
    let (ours, peer) = (rate(OURS), rate("python-queue"));
    targets.push(Target::new(
        "many-to-many queue of 16 B items at least 10× Python's",
        quotient(ours, peer),
        AtLeast(10.0),
        |ratio| format!("{}×: {}, in millions a second", number(ratio), both(ours, peer, number)),
    ));
    let idle = results.idle(OURS);
    targets.push(Target::new(
        "an idle endpoint burns no CPU after a millisecond (less than 1 ms in 2 s)",
        idle.map(|idle| share(idle.cpu_ns, idle.millis)),
        AtMost(0.0005),
        |_| idle.map_or_else(String::new, |idle| told_idle(idle.cpu_ns, idle.millis)),
    ));
    targets
}

fn large(results: &Results) -> Vec<Target> {
    let round_trip = |id| results.round_trip(id, Free, MIB);
    let (ours, slots) = (round_trip(OURS), round_trip("slots"));
    let across = |id| results.round_trip(id, Apart, MIB);
    let (ours_across, bytes) = (across(OURS), across("ipc-channel-bytes"));
    let flow = |id| results.one_way(id, Free, BIG).map(|ns| gib_per_second(BIG, ns));
    let (flow_ours, flow_memcpy) = (flow(OURS), flow("memcpy"));
    let mut targets = vec![
        Target::new("1 MiB `Bytes` round trip at most 300 µs", ours, AtMost(300e3), |_| {
            format!("{} (reused buffers by hand)", both(ours, slots, duration))
        }),
        Target::new(
            "1 MiB round trip 3× faster than ipc-channel's bytes, across cores",
            quotient(bytes, ours_across),
            AtLeast(3.0),
            |ratio| format!("{}×: {}", number(ratio), both(ours_across, bytes, duration)),
        ),
    ];
    // Both copy a message in, and read it where it lies.
    targets.extend([Apart, Pinned].map(|placement| {
        let there = |id| results.round_trip(id, placement, MIB);
        let (ours, peer) = (there(OURS), best(["iceoryx2-poll", "iceoryx2-event"].map(there)));
        Target::new(
            &format!("1 MiB round trip at par with iceoryx2 (at most 1.1×), {}", placement.label()),
            quotient(ours, peer),
            AtMost(1.1),
            |ratio| format!("{}×: {}", number(ratio), both(ours, peer, duration)),
        )
    }));
    targets.push(Target::new(
        "64 MiB one way at 80 % of memcpy's rate",
        quotient(flow_ours, flow_memcpy),
        AtLeast(0.8),
        |ratio| format!("{} %: {}, in GiB/s", number(ratio * 100.0), both(flow_ours, flow_memcpy, number)),
    ));
    targets
}

/// How many GiB/s messages of a size are, by the time of one.
#[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
pub(crate) fn gib_per_second(size: usize, ns: f64) -> f64 {
    size as f64 / ns * 1e9 / f64::from(1 << 30)
}

/// The share of one processor.
#[expect(clippy::cast_precision_loss, reason = "times stay far below 2^52")]
fn share(cpu_ns: u64, millis: u64) -> f64 {
    cpu_ns as f64 / (millis as f64 * 1e6)
}

/// Processor time within a time.
#[expect(clippy::cast_precision_loss, reason = "times stay far below 2^52")]
pub(crate) fn told_idle(cpu_ns: u64, millis: u64) -> String {
    format!("{} in {}", duration(cpu_ns as f64), duration(millis as f64 * 1e6))
}
