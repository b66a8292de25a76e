//! Tasks over a network that fails: a master and two workers in network namespaces of their own, with a cable from each worker to the
//! master.
//!
//! That needs root and `ip` of iproute2. Where there is none of it each test says that it is skipped, and why.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use offspring::net::remote::{AuthKey, Endpoint, Limits};
use offspring::tasks::{TaskServer, TaskServerBuilder};
use offspring_tests::{until, watchdog};

const KEY: &str = "a key of the tests";
const PORT: u16 = 5000;

type Server = TaskServer<u64, u64>;

/// Runs `ip`.
fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split(' ')).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`ip` cannot be run: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let why = String::from_utf8_lossy(&output.stderr);
        Err(format!("`ip {arguments}` fails: {}", why.trim()))
    }
}

/// A namespace, which ends with this.
struct Namespace(String);

impl Namespace {
    fn new(name: String) -> Result<Self, String> {
        ip(&format!("netns add {name}"))?;
        Ok(Self(name))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&format!("netns del {}", self.0)) {
            eprintln!("a namespace is left: {error}");
        }
    }
}

/// Ends namespaces of tests that were killed.
fn sweep() {
    let Ok(output) = Command::new("ip").args(["netns", "list"]).output() else { return };
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let pid = name.strip_prefix("offspring-").and_then(|rest| rest.split('-').next()?.parse().ok());
        if pid.is_some_and(|pid| !offspring_tests::runs(pid)) {
            let _another_test_was_faster = ip(&format!("netns del {name}"));
        }
    }
}

/// A master's namespace, and one for each of two workers, whose cables are `w0` and `w1` at the master.
struct Network {
    master: Namespace,
    workers: [Namespace; 2],
}

impl Network {
    /// `None`, with the reason printed, where there can be none.
    fn new() -> Option<Self> {
        match Self::build() {
            Ok(network) => Some(network),
            Err(why) => {
                let test = thread::current().name().unwrap_or("a test").to_owned();
                eprintln!("skipped: `{test}` needs network namespaces, and {why}");
                None
            }
        }
    }

    fn build() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let prefix = format!("offspring-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let name = |end| format!("{prefix}-{end}");
        let master = Namespace::new(name("m"))?;
        let network = Self { master, workers: [Namespace::new(name("w0"))?, Namespace::new(name("w1"))?] };
        let master = &network.master.0;
        ip(&format!("-n {master} link set lo up")).unwrap();
        for (number, Namespace(worker)) in network.workers.iter().enumerate() {
            ip(&format!("link add w{number} netns {master} type veth peer name cable netns {worker}"))?;
            for (namespace, device, end) in [(master, format!("w{number}"), 1), (worker, "cable".into(), 2)] {
                ip(&format!("-n {namespace} addr add 10.0.{number}.{end}/24 dev {device}")).unwrap();
                // An address of a card that the other side knows from the start, so that it can be made wrong.
                ip(&format!("-n {namespace} link set {device} address {} up", card(number, end))).unwrap();
            }
            network.swallow(number, false);
        }
        Ok(network)
    }

    /// Pulls a worker's cable, or plugs it in again.
    fn plug(&self, worker: usize, plugged: bool) {
        let state = if plugged { "up" } else { "down" };
        ip(&format!("-n {} link set cable {state}", self.workers[worker].0)).unwrap();
        if plugged {
            self.swallow(worker, false); // what was known of the other card is forgotten with the cable
        }
    }

    /// Makes a worker's cable a black hole, or a cable again: everything goes to cards that are not there.
    fn swallow(&self, worker: usize, swallowed: bool) {
        let ends = [(&self.master.0, format!("w{worker}"), 2), (&self.workers[worker].0, "cable".into(), 1)];
        for (namespace, device, other) in ends {
            let card = if swallowed { card(worker, 9) } else { card(worker, other) };
            ip(&format!(
                "-n {namespace} neigh replace 10.0.{worker}.{other} lladdr {card} dev {device} nud permanent"
            ))
            .unwrap();
        }
    }

    /// A server in the master's namespace. All its threads are there.
    fn serve(&self, builder: &TaskServerBuilder) -> Server {
        let namespace = std::fs::File::open(format!("/run/netns/{}", self.master.0)).unwrap();
        let builder = builder.clone().limits(Limits::new().peer_timeout(Duration::from_secs(2)));
        // This thread goes there for good.
        let serve = move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            builder.bind(&Endpoint::tcp("0.0.0.0", PORT), Some(AuthKey::from(KEY))).unwrap()
        };
        thread::spawn(serve).join().unwrap()
    }

    /// A worker in its namespace.
    fn start(&self, worker: usize) -> Worker {
        let endpoint = Endpoint::tcp(format!("10.0.{worker}.1"), PORT).to_string();
        let mut program = Command::new("ip")
            .args([
                "netns",
                "exec",
                &self.workers[worker].0,
                env!("CARGO_BIN_EXE_tasks_worker"),
                &endpoint,
                KEY,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = program.stdin.take();
        let says = BufReader::new(program.stdout.take().unwrap()).lines();
        Worker { program, orders, says }
    }
}

/// The address of a network card.
fn card(worker: usize, end: u32) -> String {
    format!("02:00:00:00:{worker:02x}:{end:02x}")
}

/// A worker, which is killed with this.
struct Worker {
    program: Child,
    orders: Option<ChildStdin>,
    says: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Waits until it holds a task: which.
    fn holds(&mut self) -> u64 {
        let line = self.says.next().unwrap().unwrap();
        line.strip_prefix("holds ").unwrap_or_else(|| panic!("`{line}`")).parse().unwrap()
    }

    /// Has it hand in the result.
    fn release(&mut self) {
        self.orders.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// What the server said of the result.
    fn receipt(&mut self) -> String {
        let line = self.says.next().unwrap().unwrap();
        line.split(' ').next().unwrap().to_owned()
    }

    /// Does the task that it holds, which the server takes.
    fn does(&mut self) {
        self.release();
        assert_eq!(self.receipt(), "Taken");
    }

    fn kill(&mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }

    /// Waits until it ends by itself, in order.
    fn ends(mut self) {
        assert!(self.program.wait().unwrap().success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _has_ended = self.program.kill();
        let _has_ended = self.program.wait();
    }
}

/// The tasks whose results are there, which are right; each has one.
fn results(server: &Server, count: usize) -> Vec<u64> {
    let results = server.get_result_queue();
    let mut all = BTreeMap::new();
    while all.len() < count {
        let finished = results.get().unwrap();
        assert!(all.insert(finished.number(), *finished.result().unwrap()).is_none(), "it has two results");
    }
    assert!(results.is_empty());
    all.into_values().map(u64::isqrt).collect()
}

/// A lease that is over soon, although not on a machine that stalls for a moment.
const SOON: Duration = Duration::from_secs(5);

#[offspring::test]
fn a_cable_that_is_pulled_and_plugged_in_again_costs_no_task_and_doubles_none() {
    let _dog = watchdog();
    let Some(network) = Network::new() else { return };
    let server = network.serve(&Server::builder().lease(SOON));
    let tasks = server.get_task_queue();
    let mut cut_off = network.start(0);
    tasks.put(&1).unwrap();
    assert_eq!(cut_off.holds(), 1);
    let mut other = network.start(1);
    tasks.put_all(&[2, 3]).unwrap();
    assert_eq!(other.holds(), 2);
    network.plug(0, false);
    until("its lease is over", || server.counts().workers == 1);
    other.does();
    assert_eq!(other.holds(), 1, "the first again");
    other.does();
    assert_eq!(other.holds(), 3);
    cut_off.release(); // into a cable that is not there
    network.plug(0, true);
    assert_eq!(cut_off.receipt(), "AlreadyDone");
    tasks.put(&4).unwrap();
    assert_eq!(cut_off.holds(), 4);
    cut_off.does();
    other.does();
    assert_eq!(results(&server, 4), [1, 2, 3, 4]);
    server.shutdown();
    cut_off.ends();
    other.ends();
}

#[offspring::test]
fn a_network_that_swallows_everything_for_longer_than_a_lease_costs_no_task_and_doubles_none() {
    let _dog = watchdog();
    let Some(network) = Network::new() else { return };
    let server = network.serve(&Server::builder().lease(SOON));
    let tasks = server.get_task_queue();
    let mut cut_off = network.start(0);
    tasks.put(&1).unwrap();
    assert_eq!(cut_off.holds(), 1);
    let mut other = network.start(1);
    tasks.put(&2).unwrap();
    assert_eq!(other.holds(), 2);
    network.swallow(0, true);
    until("its lease is over", || server.counts().workers == 1);
    other.does();
    assert_eq!(other.holds(), 1);
    other.does();
    cut_off.release();
    network.swallow(0, false);
    assert_eq!(cut_off.receipt(), "AlreadyDone");
    tasks.put_all(&[3, 4]).unwrap();
    let mut held = [cut_off.holds(), other.holds()];
    held.sort_unstable();
    assert_eq!(held, [3, 4]);
    cut_off.does();
    other.does();
    assert_eq!(results(&server, 4), [1, 2, 3, 4]);
    server.shutdown();
    cut_off.ends();
    other.ends();
}

#[offspring::test]
fn a_result_that_is_handed_in_while_the_network_swallows_everything_arrives_when_it_no_longer_does() {
    let _dog = watchdog();
    let Some(network) = Network::new() else { return };
    let server = network.serve(&Server::builder().lease(Duration::from_secs(60)));
    server.get_task_queue().put(&1).unwrap();
    let mut worker = network.start(0);
    assert_eq!(worker.holds(), 1);
    network.swallow(0, true);
    worker.release();
    let waited = server.get_result_queue().get_timeout(Duration::from_millis(100));
    assert!(waited.unwrap_err().is_timed_out());
    assert_eq!(server.counts().leased, 1, "it has its lease");
    network.swallow(0, false);
    // Over the old link or, if that was given up just now, over a new one; if both, once.
    let receipt = worker.receipt();
    assert!(["Taken", "AlreadyDone"].contains(&&*receipt), "{receipt}");
    assert_eq!(results(&server, 1), [1]);
    server.shutdown();
    worker.ends();
}

#[offspring::test]
fn the_task_of_a_worker_that_is_killed_elsewhere_goes_to_another_at_once() {
    let _dog = watchdog();
    let Some(network) = Network::new() else { return };
    let server = network.serve(&Server::builder().lease(Duration::from_secs(3600)));
    let tasks = server.get_task_queue();
    let (mut killed, mut other) = (network.start(0), network.start(1));
    tasks.put_all(&[1, 2]).unwrap();
    let held = killed.holds();
    assert_eq!(other.holds(), 3 - held);
    killed.kill();
    other.does();
    assert_eq!(other.holds(), held);
    other.does();
    let mut done = results(&server, 2);
    done.sort_unstable();
    assert_eq!(done, [1, 2]);
    server.shutdown();
    other.ends();
}
