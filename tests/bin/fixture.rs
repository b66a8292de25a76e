//! A program with many faces: its first argument says which, and tests look at it from outside.

use std::io::Write;
use std::time::Duration;

use offspring::{Child, ExitStatus, Process, ProcessHandle, Run, StartMethod};
use serde::{Deserialize, Serialize};

/// Says a line at once, so that who reads it knows that this process has come so far.
fn say(line: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone is no reason to stop.
    let _unread = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn forever() -> ! {
    loop {
        std::thread::park();
    }
}

/// Lives until it is killed, with one child that does the same, down to the last generation.
#[derive(Process, Serialize, Deserialize)]
struct Generation {
    below: u32,
    detached: bool,
}

impl Run for Generation {
    type Output = ();

    fn run(self) {
        say(format_args!("alive {}", std::process::id()));
        let _child = self.start_next();
        forever()
    }
}

impl Generation {
    fn start_next(&self) -> Option<Child<()>> {
        let below = self.below.checked_sub(1)?;
        let next = Self { below, ..*self };
        let builder = next.builder();
        let builder = if self.detached { builder.detached() } else { builder };
        Some(builder.start().expect("the next generation starts"))
    }
}

/// Three generations below this process.
fn family(detached: bool) {
    let ancestor = Generation { below: 3, detached };
    let _child = ancestor.start_next();
    forever()
}

/// Ends after a while, and says so.
fn worker(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
    say(format_args!("worker done"));
}

fn daemon(stubborn: bool) {
    if stubborn {
        system::ignore(libc::SIGTERM);
    }
    say(format_args!("daemon {}", std::process::id()));
    forever()
}

/// The system calls that the faces need.
mod system {
    #![allow(unsafe_code)]

    pub(super) fn ignore(signal: i32) {
        // SAFETY: ignoring a signal runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }

    /// Numbers of the kernel's interface are small, whatever type they are declared with.
    fn narrow<T, U: TryFrom<T>>(number: T) -> U {
        U::try_from(number).unwrap_or_else(|_| panic!("a small number"))
    }

    /// Has a system call fail with an error from now on, here and in all descendants (`seccomp(2)`).
    pub(super) fn refuse(call: libc::c_long, error: i32) {
        let statement = |code: u32, jt, jf, k| libc::sock_filter { code: narrow(code), jt, jf, k };
        let mut filter = [
            statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, narrow(call)),
            statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | error as u32),
            statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: narrow(filter.len()), filter: filter.as_mut_ptr() };
        // SAFETY: integers.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
        // SAFETY: the program leads to a filter that outlives the call.
        let refused =
            unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
        assert_eq!(refused, 0);
    }

    /// Limits the size of files.
    pub(super) fn limit_files(bytes: u64) {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: the limit is valid for reading.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
    }

    pub(super) fn close(fd: i32) {
        // SAFETY: the descriptor is a standard stream, which nothing here owns.
        unsafe { libc::close(fd) };
    }
}

/// What becomes of children when this process ends in one of four ways.
fn exit_rules(how: &str) {
    let _worker = offspring::spawn(worker, (300,)).expect("a worker starts");
    let daemon =
        offspring::target(daemon, (how == "stubborn",)).daemon(true).start().expect("a daemon starts");
    // It is in its `run` once its line is out; the test waits for that line, and tells us.
    let mut go = String::new();
    std::io::stdin().read_line(&mut go).expect("the test says when");
    drop(daemon);
    match how {
        "exit" => std::process::exit(5),
        "thread" => {
            std::thread::spawn(|| std::process::exit(6)).join().expect("the process ends first");
        }
        "panic" => panic!("main panics"),
        _ => {}
    }
}

/// Starts and joins, one after the other.
fn sequence(count: u32) {
    for number in 0..count {
        let child = offspring::spawn(|n: u32| n * 2, (number,)).expect("a child starts");
        assert_eq!(child.join().expect("it ends well"), number * 2);
    }
    say(format_args!("done {count}"));
}

/// Many at once.
fn crowd(count: usize) {
    let children: Vec<_> = (0..count)
        .map(|number| {
            let child = offspring::target(
                || {
                    // Ends when the parent closes its end of the pipe.
                    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("a pipe can be read");
                    std::process::id()
                },
                (),
            );
            let child = child.stdin(offspring::Stdio::piped()).start();
            child.unwrap_or_else(|error| panic!("child {number} does not start: {error}"))
        })
        .collect();
    assert_eq!(offspring::active_children().len(), count);
    assert!(children.iter().all(Child::is_alive));
    for child in &children {
        drop(child.stdin());
    }
    for child in &children {
        assert_eq!(child.join().expect("it ends well"), child.pid());
    }
    assert_eq!(offspring::active_children(), []);
    say(format_args!("done {count}"));
}

/// A parent with many threads and a large heap.
fn heavy() {
    let heap = vec![1_u8; 1 << 30];
    let threads: Vec<_> = (0..50).map(|_| std::thread::spawn(std::thread::park)).collect();
    for _ in 0..20 {
        let child = offspring::spawn(|| 7, ()).expect("a child starts");
        assert_eq!(child.join().expect("it ends well"), 7);
    }
    let refused = offspring::target(|| 7, ()).start_method(StartMethod::Fork).start();
    say(format_args!("{} {}", refused.expect_err("fork is refused"), heap[4096]));
    for thread in &threads {
        thread.thread().unpark();
    }
}

/// A parent without standard streams.
fn closed_streams() {
    (0..3).for_each(system::close);
    for method in offspring::start_methods() {
        let open = offspring::target(
            || (0..3).filter(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).is_ok()).count(),
            (),
        );
        let child = open.start_method(method).start().expect("a child starts");
        let expected = if method == StartMethod::Spawn { 3 } else { 0 }; // std opens /dev/null where it finds nothing
        let seen = child.join().expect("it ends well");
        if seen != expected {
            // There is no stream left to say more by.
            std::process::exit(method as i32 * 10 + i32::try_from(seen).expect("at most 3"));
        }
    }
    std::process::exit(42);
}

/// Starts a child when it is told to, as often as it is.
fn on_command() {
    say(format_args!("ready"));
    for line in std::io::stdin().lines() {
        let method: StartMethod = line.expect("the input is text").parse().expect("a start method");
        let child = offspring::target(|| 7, ()).start_method(method).start();
        say(format_args!("{:?}", child.map(|child| child.join().map_err(|error| error.to_string()))));
    }
}

/// What a process sees around it.
fn surroundings() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("/proc is there");
    let keep = ["Umask", "SigBlk", "SigIgn", "Cpus_allowed:", "Uid", "Gid"];
    let mut seen: Vec<String> = status
        .lines()
        .filter(|line| keep.iter().any(|name| line.starts_with(name)))
        .map(str::to_owned)
        .collect();
    seen.push(std::fs::read_to_string("/proc/self/limits").expect("/proc is there"));
    seen.push(format!("{:?}", std::env::current_dir()));
    let mut environment: Vec<_> = std::env::vars_os().collect();
    environment.sort();
    seen.push(format!("{environment:?}"));
    seen.push(format!("{:?}", std::env::args_os().collect::<Vec<_>>()));
    seen.push(format!("parent {}", std::os::unix::process::parent_id()));
    // The niceness is the seventeenth field behind the name.
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("/proc is there");
    seen.push(format!("nice {:?}", stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(17))));
    seen
}

/// Prints what a child of each start method sees, after this process has changed everything that can be changed.
fn compare_surroundings() {
    // A server that exists before the change must not show.
    for method in offspring::start_methods() {
        offspring::target(|| (), ())
            .start_method(method)
            .start()
            .expect("a child starts")
            .join()
            .expect("and ends");
    }
    change::everything();
    for method in offspring::start_methods() {
        let child = offspring::target(surroundings, ()).start_method(method).start().expect("a child starts");
        for line in child.join().expect("it ends well") {
            say(format_args!("{method}|{}", line.replace('\n', ";")));
        }
    }
}

/// Changes what children inherit.
mod change {
    #![allow(unsafe_code)]

    pub(super) fn everything() {
        std::env::set_current_dir("/usr").expect("/usr is there");
        // SAFETY: no other thread of this program touches the environment.
        unsafe { std::env::set_var("CHANGED", "yes = indeed\n") };
        // SAFETY: as above.
        unsafe { std::env::remove_var("HOME") };
        // SAFETY: umask takes an integer.
        unsafe { libc::umask(0o123) };
        super::system::ignore(libc::SIGUSR1);
        // SAFETY: zeroed memory is a valid set, and the calls get valid pointers.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        unsafe { libc::sigaddset(&raw mut set, libc::SIGUSR2) };
        // SAFETY: as above; a null old set is allowed.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
        let limit = libc::rlimit { rlim_cur: 123, rlim_max: 456 };
        // SAFETY: the limit is valid for reading.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        // SAFETY: integers.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 7) };
        let mut first = [0_u64; 16];
        first[0] = 1;
        // SAFETY: the size is that of the array, which is a set of bits.
        unsafe { libc::sched_setaffinity(0, size_of_val(&first), first.as_ptr().cast()) };
    }
}

/// Drops to another user after a first start: the next child must not have the old rights.
fn drop_privileges() {
    let whoami = || std::fs::metadata("/proc/self").map(|me| std::os::unix::fs::MetadataExt::uid(&me)).ok();
    let before = offspring::spawn(whoami, ()).expect("a child starts").join().expect("it ends well");
    change_user::to(65534);
    let after = offspring::spawn(whoami, ()).map(|child| child.join());
    say(format_args!("{before:?} {after:?}"));
}

mod change_user {
    #![allow(unsafe_code)]

    pub(super) fn to(user: u32) {
        // SAFETY: integers.
        assert_eq!(unsafe { libc::setuid(user) }, 0, "a test that needs root");
    }
}

/// The fork method, which needs a program without other threads.
fn forks() {
    use offspring::JoinError;
    let child =
        offspring::target(std::process::id, ()).start_method(StartMethod::Fork).start().expect("fork");
    assert_eq!(child.join().expect("it ends well"), child.pid());
    // A copy does not have the children of the original, and can have its own.
    let sibling = offspring::target(forever_unit, ()).start_method(StartMethod::Fork).start().expect("fork");
    let nested = offspring::target(
        || {
            let none = offspring::active_children().is_empty();
            let own =
                offspring::target(|| 5, ()).start_method(StartMethod::Fork).start().expect("fork").join();
            let served = offspring::spawn(|| 6, ()).expect("a server of its own").join();
            (none, own.expect("it ends well"), served.expect("it ends well"))
        },
        (),
    );
    let nested = nested.start_method(StartMethod::Fork).start().expect("fork");
    assert_eq!(nested.join().expect("it ends well"), (true, 5, 6));
    assert!(sibling.is_alive(), "the copy's end did not take it along");
    sibling.kill().expect("it can be killed");
    assert!(matches!(sibling.join(), Err(JoinError::Ended { .. })));
    // A copy holds none of the ends of pipes that would keep it, or its siblings, from seeing the end of their input.
    let reader = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("a pipe can be read");
    let reader = offspring::target(reader, ()).start_method(StartMethod::Fork);
    let first = reader.stdin(offspring::Stdio::piped()).start().expect("fork");
    let sibling = offspring::target(forever_unit, ()).start_method(StartMethod::Fork).start().expect("fork");
    drop(first.stdin());
    assert_eq!(first.join().expect("it sees the end of its input"), 0);
    sibling.kill().expect("it can be killed");
    let panicked = offspring::target(|| panic!("in a copy"), ()).start_method(StartMethod::Fork);
    let panicked: Result<(), _> = panicked.start().expect("fork").join();
    assert!(matches!(panicked, Err(JoinError::Panicked { .. })));
    say(format_args!("done"));
}

fn forever_unit() {
    forever()
}

/// A copy that somebody's `fork` made: it has no children, and its end touches nobody.
fn raw_fork() {
    #![allow(unsafe_code)]
    let child = offspring::spawn(forever_unit, ()).expect("a child starts");
    // SAFETY: the only other thread is the library's, which holds no lock while a fork is under way.
    match unsafe { offspring::fork() }.expect("fork") {
        offspring::Fork::Child => {
            let none = offspring::active_children().is_empty();
            let not_ours = matches!(child.join(), Err(offspring::JoinError::NotAChild { .. }));
            let own = offspring::spawn(|| 8, ()).expect("a server of its own").join().expect("it ends well");
            std::process::exit(i32::from(none && not_ours && own == 8) + 10)
        }
        offspring::Fork::Parent(pid) => {
            let status = offspring::waitpid(pid, true).expect("it is a child").expect("it was waited for");
            say(format_args!("copy {status}, child alive {}", child.is_alive()));
            child.kill().expect("it can be killed");
        }
    }
}

/// A panic that cannot unwind.
extern "C" fn gives_up() {
    panic!("in a grandchild");
}

fn gives_up_in_c() {
    gives_up();
}

/// Copies that `run` makes by a raw fork do not answer for it, and panics of processes that were made by the fork method are
/// not taken for their parent's.
fn copies_within() {
    #![allow(unsafe_code)]
    let returns_twice = || {
        // SAFETY: this process has one thread.
        match unsafe { offspring::fork() }.expect("fork") {
            offspring::Fork::Child => "copy".to_owned(),
            offspring::Fork::Parent(pid) => {
                offspring::waitpid(pid, true).expect("it is a child");
                "original".to_owned()
            }
        }
    };
    let answer = offspring::spawn(returns_twice, ()).expect("it starts").join().expect("it ends well");
    say(format_args!("{answer}"));

    let middle = || {
        let grandchild =
            offspring::target(gives_up_in_c, ()).start_method(StartMethod::Fork).start().expect("fork");
        grandchild.join().expect_err("it aborts").to_string()
    };
    let told = offspring::spawn(middle, ()).expect("it starts").join().expect("the middle ends well");
    say(format_args!("{}", told.contains("panicked: in a grandchild")));
}

/// The end of this process while another thread goes on starting children.
fn busy_end() {
    let (started, one_is_there) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        loop {
            match offspring::spawn(|| std::thread::sleep(Duration::from_millis(300)), ()) {
                Ok(_) => drop(started.send(())),
                Err(error) => {
                    say(format_args!("{error}"));
                    return;
                }
            }
        }
    });
    one_is_there.recv().expect("the thread starts children");
}

/// A result that is larger than a file may be.
fn small_files() {
    offspring::spawn(|| (), ()).expect("it starts").join().expect("it ends well");
    system::limit_files(4096);
    let large = offspring::spawn(|| "x".repeat(100_000), ()).expect("it starts").join();
    say(format_args!("{}", large.expect_err("it cannot be handed over")));
}

/// A copy of this process lives on when this process is killed; its child must not.
fn lingering_copy() {
    #![allow(unsafe_code)]
    let child = offspring::spawn(forever_unit, ()).expect("a child starts");
    // SAFETY: the only other thread is the library's, which holds no lock while a fork is under way.
    match unsafe { offspring::fork() }.expect("fork") {
        offspring::Fork::Child => forever(),
        offspring::Fork::Parent(copy) => {
            say(format_args!("child and copy {} {copy}", child.pid()));
            forever()
        }
    }
}

/// Starts children where system calls that are younger than others are refused, as some containers refuse them.
fn refused_calls(error: i32) {
    system::refuse(libc::SYS_clone3, error);
    sequence(20);
    assert_eq!(
        offspring::spawn(std::os::unix::process::parent_id, ()).expect("it starts").join().expect("it ends"),
        std::process::id()
    );
}

/// Starts a process, and gives its handle away.
#[allow(clippy::needless_pass_by_value)] // a process's arguments are values
fn middle(handles: offspring::Sender<ProcessHandle>) {
    let below = offspring::spawn(worker, (u64::MAX,)).expect("it starts");
    handles.send(below.handle().expect("a handle")).expect("it is awaited");
    forever()
}

/// Waits, on a system that keeps no status, for a process whose parent was killed before it could tell how that one ended.
fn orphaned_handle() {
    let (handles, given) = offspring::channel::channel().expect("a channel");
    let parent = offspring::spawn(middle, (handles,)).expect("it starts");
    let below = given.recv().expect("a handle");
    system::refuse(libc::SYS_ioctl, libc::ENOTTY);
    parent.kill().expect("it can be killed");
    let status = below.wait().expect("it can be waited for");
    say(format_args!("{}", if status == ExitStatus::Lost { "lost" } else { "kept" }));
}

/// Maps whose progress is shown: one whose third input ends its worker, one that is stopped at it, one that is dropped, one whose
/// inputs panic.
fn progress() {
    fn tread(n: u64) -> u64 {
        if n == 3 { std::process::exit(7) } else { n }
    }
    let pool = offspring::Pool::builder().workers(2).progress(true).start().expect("a pool starts");
    let failed = pool.map(tread, 0..100).iter().filter(|outcome| outcome.is_err()).count();
    let stopped = pool.try_map(tread, 0..100).is_err();
    let some = pool.imap(tread, 100..).take(10).filter_map(Result::ok).sum::<u64>();
    let inputs = (100..).map(|n| if n < 200 { n } else { panic!("no more inputs") });
    let panicked =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.map(tread, inputs))).is_err();
    say(format_args!("{failed} {stopped} {some} {panicked}"));
}

fn main_modes(mode: &str, argument: &str) {
    let count = || argument.parse().expect("a number");
    match mode {
        "family" => family(argument == "detached"),
        "exit-rules" => exit_rules(argument),
        "sequence" => sequence(count()),
        "crowd" => crowd(count() as usize),
        "heavy" => heavy(),
        "closed-streams" => closed_streams(),
        "on-command" => on_command(),
        "surroundings" => compare_surroundings(),
        "drop-privileges" => drop_privileges(),
        "forks" => forks(),
        "raw-fork" => raw_fork(),
        "copies-within" => copies_within(),
        "busy-end" => busy_end(),
        "progress" => progress(),
        "small-files" => small_files(),
        "ignored-sigchld" => {
            system::ignore(libc::SIGCHLD);
            sequence(count());
        }
        "refused-calls" => refused_calls(argument.parse().expect("a number")),
        "lingering-copy" => lingering_copy(),
        "orphaned-handle" => orphaned_handle(),
        other => panic!("no mode `{other}`"),
    }
}

#[offspring::main]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    main_modes(&arguments[1], arguments.get(2).map_or("", String::as_str));
}
