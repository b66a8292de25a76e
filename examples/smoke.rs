//! smoke
use offspring::{Process, Run, StartMethod};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
struct Downloader {
    url: String,
    size: u64,
}

impl Run for Downloader {
    type Output = (u64, u32, u32, String);
    fn run(self) -> Self::Output {
        (self.size, std::process::id(), std::os::unix::process::parent_id(), offspring::current().name)
    }
}

#[offspring::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("me {}", std::process::id());
    for m in [StartMethod::Fork, StartMethod::ForkServer, StartMethod::Spawn] {
        let d = Downloader { url: "x".into(), size: 7 };
        let c = d.builder().start_method(m).start()?;
        println!("{m} child {} {}", c.pid(), c.name());
        println!("{:?}", c.join());
        println!("{:?}", c);
    }
    let n = 2000;
    for m in [StartMethod::ForkServer, StartMethod::Spawn] {
        let t = std::time::Instant::now();
        for _ in 0..n {
            let c = offspring::target(|a: u32| a + 1, (1,)).start_method(m).start()?;
            assert_eq!(c.join()?, 2);
        }
        println!("{m} {:?}", t.elapsed() / n);
    }
    Ok(())
}
