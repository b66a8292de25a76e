//! Works for a server of tasks, in whatever namespace it is started: `tasks_worker ENDPOINT KEY`. It says which task it holds, and holds it
//! until it reads a line.

use std::io::{BufRead, Write};
use std::time::Duration;

use offspring::net::remote::{AuthKey, Endpoint, Limits};
use offspring::tasks::TaskWorker;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(endpoint), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err("usage: tasks_worker ENDPOINT KEY".into());
    };
    let endpoint: Endpoint = endpoint.parse()?;
    let limits = Limits::new().peer_timeout(Duration::from_secs(2));
    let worker: TaskWorker<u64, u64> =
        TaskWorker::<u64, u64>::builder().limits(limits).connect(&endpoint, Some(&AuthKey::from(&*key)))?;
    let (mut orders, mut out) = (std::io::stdin().lock().lines(), std::io::stdout().lock());
    let (tasks, results) = (worker.get_task_queue(), worker.get_result_queue());
    loop {
        let task = match tasks.get() {
            Ok(task) => task,
            Err(error) if error.is_closed() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let number = *task;
        writeln!(out, "holds {number}")?;
        out.flush()?;
        let Some(order) = orders.next() else { return Ok(()) };
        order?;
        let receipt = results.put(task, &(number * number))?;
        writeln!(out, "{receipt:?} {number}")?;
        out.flush()?;
    }
}
