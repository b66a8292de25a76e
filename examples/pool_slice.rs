//! A slice in shared memory that workers change where it lies: the samples of a sound, of which one kills whoever reads it.

use offspring::Pool;
use offspring::pool::SliceError;
use offspring::shm::SharedSlice;

const SAMPLES: usize = 1_000_000;

fn amplify(sample: &mut f32) {
    *sample = (*sample * 2.0).clamp(-1.0, 1.0);
}

#[allow(clippy::cast_possible_truncation, clippy::trivially_copy_pass_by_ref)] // from -1 to 1; by reference, as elements come
fn to_16_bits(sample: &f32) -> i16 {
    if sample.is_nan() {
        std::process::abort(); // as a C library would
    }
    (sample * 32_767.0) as i16
}

/// Lowers the first samples to zero: the later the sample, the less.
fn fade_in(start: usize, samples: &mut [f32]) {
    for (index, sample) in (start..1000).zip(samples) {
        *sample *= f32::from(u16::try_from(index).unwrap_or(u16::MAX)) / 1000.0;
    }
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let pool = Pool::new(4)?;
    let wave = |index: usize| if index % 200 < 100 { 0.75 } else { -0.25 };
    let mut sound = SharedSlice::from_fn(SAMPLES, wave)?;
    pool.for_each_mut(amplify, &mut sound)?;
    pool.for_each_chunk_mut(fade_in, &mut sound)?;
    println!("samples: {} {} {} {}", sound[0], sound[500], sound[1000], sound[1100]);

    let bits = pool.map_slice(to_16_bits, &sound)?;
    println!("in 16 bits: {} {} {} {}", bits[0], bits[500], bits[1000], bits[1100]);

    // `get_mut` works while nobody else has the slice.
    sound.get_mut().expect("it is ours alone")[600_000] = f32::NAN;
    match pool.map_slice(to_16_bits, &sound) {
        Err(SliceError::Failed(failed)) => {
            for error in failed {
                let is_in_it = error.range().contains(&600_000);
                println!("one range is not done, with the broken sample: {is_in_it}");
                println!("the task {}", error.failure());
            }
        }
        other => println!("done: {}", other.is_ok()),
    }

    let _reader = sound.clone();
    if let Err(SliceError::Shared) = pool.for_each_mut(amplify, &mut sound) {
        println!("what others may read is not changed");
    }
    Ok(())
}
