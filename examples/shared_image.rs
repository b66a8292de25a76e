//! One large image and four workers that read it where it lies: nobody has a copy.
//!
//! `shared_image` makes one of 1 GiB, `shared_image MIB` a smaller one.

use std::fs;

use anyhow::{Context, ensure};
use offspring::shm::SharedMemory;
use offspring::{Bytes, Process, Receiver, Run, Sender, channel};
use serde::{Deserialize, Serialize};

const WORKERS: usize = 4;
const MIB: usize = 1 << 20;

/// Looks at the whole image.
#[derive(Process, Serialize, Deserialize)]
struct Viewer {
    /// Of a shared memory that was frozen: what travels is a handle.
    image: Bytes,
    /// Here goes what it saw.
    seen: Sender<u64>,
    /// Nothing comes here: it ends when the viewers may.
    leave: Receiver<()>,
}

impl Run for Viewer {
    type Output = ();

    fn run(self) {
        self.seen.send(light(&self.image)).expect("the parent listens");
        // The image stays in place until the parent has looked how much memory that takes.
        assert!(self.leave.recv().is_err_and(|end| end.is_disconnected()));
    }
}

/// The sum of all its pixels, eight at a time.
fn light(image: &[u8]) -> u64 {
    let words =
        image.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("it has eight bytes")));
    words.fold(0, u64::wrapping_add)
}

/// Draws something.
fn draw(image: &mut [u8]) {
    for (shade, pixels) in (0..=250).cycle().zip(image.chunks_mut(4096)) {
        pixels.fill(shade);
    }
}

/// What a process uses, in KiB, as `/proc/PID/smaps_rollup` has it (proc(5)).
struct Memory {
    /// All that is in memory and that it sees.
    resident: usize,
    /// What nobody else sees.
    private: usize,
    /// Its share of it all: what n processes see counts one nth for each.
    proportional: usize,
}

impl Memory {
    fn of(pid: u32) -> anyhow::Result<Self> {
        let figures =
            fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("this system does not tell")?;
        let figure = |name: &str| {
            let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
            number
                .with_context(|| format!("no {name} in: {figures}"))?
                .parse::<usize>()
                .context("it is a number")
        };
        Ok(Self {
            resident: figure("Rss")?,
            private: figure("Private_Clean")? + figure("Private_Dirty")?,
            proportional: figure("Pss")?,
        })
    }
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let mib =
        std::env::args().nth(1).map_or(Ok(1024), |size| size.parse::<usize>()).context("MIB is a number")?;
    let mut memory = SharedMemory::create(mib * MIB)?;
    draw(memory.get_mut().context("nobody else has it yet")?); // in place, too
    let image = memory.freeze()?; // from here on nobody can write it
    let expected = light(&image);
    println!("the image has {mib} MiB");

    let (seen, sights) = channel::channel()?;
    let (stay, leave) = channel::channel()?;
    let viewers = (0..WORKERS)
        .map(|_| Viewer { image: image.clone(), seen: seen.clone(), leave: leave.clone() }.start())
        .collect::<Result<Vec<_>, _>>()?;
    drop((seen, leave)); // the viewers have theirs: if they all die, this will not wait for them
    for _ in &viewers {
        ensure!(sights.recv()? == expected, "a viewer saw another image");
    }

    let mut together = Memory::of(std::process::id())?.proportional;
    for viewer in &viewers {
        let Memory { resident, private, proportional } = Memory::of(viewer.pid())?;
        println!("{}: sees {} MiB, {} MiB of it alone", viewer.name(), resident / 1024, private / 1024);
        together += proportional;
    }
    println!("main and {} viewers use {} MiB together", viewers.len(), together / 1024);

    drop(stay);
    for viewer in viewers {
        viewer.join()?;
    }
    Ok(())
}
