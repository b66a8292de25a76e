//! Enums of one byte.

use offspring::Shareable;

#[derive(Clone, Copy, Shareable)]
#[repr(u8)]
enum Stage {
    Waiting,
    Running = 7,
    Done,
}

#[derive(Shareable)]
#[repr(i8)]
enum Sign {
    Minus = -1,
    Plus = 1,
}

#[derive(Shareable)]
#[repr(C)]
struct Job {
    stage: Stage,
    sign: Sign,
}

fn shareable<T: Shareable>(value: T) -> usize {
    size_of_val(&value)
}

fn main() {
    assert_eq!(shareable([Stage::Waiting, Stage::Running, Stage::Done]), 3);
    assert_eq!(shareable(Job { stage: Stage::Done, sign: Sign::Plus }), 2);
    assert_eq!(shareable(Sign::Minus), 1);
}
