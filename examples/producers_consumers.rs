//! Producers and consumers: a channel with several processes at each end, and never more in it than is asked for.

use offspring::channel;
use offspring::{Process, Receiver, Run, Sender};
use serde::{Deserialize, Serialize};

/// How many jobs may wait. Producers that are faster than the consumers wait themselves, and memory does not grow.
const WAITING: usize = 16;

/// Something to be done: to follow a number of Collatz's (half if even, else three times and one) down to 1.
#[derive(Serialize, Deserialize)]
struct Job {
    number: u64,
    /// Where the answer goes: an end of a channel travels like any other value.
    answers: Sender<Answer>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    number: u64,
    steps: u32,
}

/// Sends a job for each number of a range, and returns what its answers say.
#[derive(Process, Serialize, Deserialize)]
struct Producer {
    from: u64,
    to: u64,
    jobs: Sender<Job>,
}

impl Run for Producer {
    type Output = Longest;

    fn run(self) -> Longest {
        let Self { from, to, jobs } = self;
        let (answers, answered) = channel::channel().expect("memory suffices for a channel");
        for number in from..to {
            jobs.send(Job { number, answers: answers.clone() }).expect("there are consumers");
        }
        // The jobs hold the other copies. When the last one is done, or lost with its consumer, no answer can come any more.
        drop((jobs, answers));
        let mut longest = Longest { answers: 0, number: 0, steps: 0 };
        for answer in answered {
            let Answer { number, steps } = answer.expect("it is of this program");
            longest = longest.or(Longest { answers: 1, number, steps });
        }
        longest
    }
}

/// The longest way down, of so many.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Longest {
    answers: u64,
    number: u64,
    steps: u32,
}

impl Longest {
    /// The longer of two. Of two that are alike, the one from the smaller number.
    fn or(self, other: Self) -> Self {
        let longer = if (other.steps, self.number) > (self.steps, other.number) { other } else { self };
        Self { answers: self.answers + other.answers, ..longer }
    }
}

/// Does jobs until no more can come, and returns how many it did.
#[derive(Process, Serialize, Deserialize)]
struct Consumer {
    jobs: Receiver<Job>,
}

impl Run for Consumer {
    type Output = u64;

    fn run(self) -> u64 {
        let mut done = 0;
        for job in self.jobs {
            let Job { number, answers } = job.expect("it is of this program");
            let _its_producer_was_killed = answers.send(Answer { number, steps: steps(number) });
            done += 1;
        }
        done
    }
}

fn steps(mut number: u64) -> u32 {
    let mut steps = 0;
    while number != 1 {
        number = if number % 2 == 0 { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let (sender, receiver) = channel::bounded(WAITING)?;
    let consumers =
        (0..4).map(|_| Consumer { jobs: receiver.clone() }.start()).collect::<Result<Vec<_>, _>>()?;
    let producers = (0..3)
        .map(|part| Producer { from: 1 + part * 500, to: 501 + part * 500, jobs: sender.clone() }.start())
        .collect::<Result<Vec<_>, _>>()?;
    // The producers have theirs. As long as this one lived the jobs would not end, and the consumers would wait for ever.
    drop((sender, receiver));

    let mut longest = Longest { answers: 0, number: 0, steps: 0 };
    for producer in &producers {
        let its = producer.join()?;
        println!(
            "{}: {} answers, the longest way has {} steps from {}",
            producer.name(),
            its.answers,
            its.steps,
            its.number
        );
        longest = longest.or(its);
    }
    let mut done = 0;
    for consumer in &consumers {
        let its = consumer.join()?;
        println!("{}: {its} jobs", consumer.name());
        done += its;
    }
    println!("{done} jobs and {} answers: {} steps from {}", longest.answers, longest.steps, longest.number);
    Ok(())
}
