//! The soak: pools are used by many threads in every way there is, for as long as one likes, while their workers are killed and
//! stopped, tasks do what tasks should not, limits are hit and pools are resized.
//!
//! Every task has to be answered, once, and rightly; no call is begun twice; and what the process holds in memory, descriptors,
//! threads and children is at the end what it was after warming up. `.ci/soak SECONDS [SEED]` runs it.

#![allow(clippy::cast_possible_truncation)] // numbers are small

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use offspring::Pool;
use offspring_tests::{children_of, until};

mod dice;
mod foe;
mod user;
mod vitals;
mod work;

use dice::Dice;
use user::{PLACES, Place, User};
use vitals::{PROGRESS, Vitals, doing};
use work::{Counts, Fate, IS_PARENT, LIMIT, Tally};

/// How many threads use the pools; one more has pools of its own.
const USERS: u32 = 6;
/// How long everything goes on until there is a moment of quiet to look at what is held.
const PHASE: Duration = Duration::from_secs(10);
/// How many workers each pool has in a moment of quiet.
const WORKERS: usize = 3;

/// Goes on for a while; returns how many workers were killed, perhaps.
fn phase(users: &mut [User<'_>], places: &[Place], dice: &mut Dice, length: Duration) -> u64 {
    let enough = AtomicBool::new(false);
    let pools: Vec<&Pool> = places.iter().map(|place| &*place.pool).collect();
    let (pools, enough) = (&pools[..], &enough);
    let (foe, resizer) = (Dice::new(dice.next()), Dice::new(dice.next()));
    std::thread::scope(|scope| {
        let named = |name: String| std::thread::Builder::new().name(name);
        let killer = named("killer".into())
            .spawn_scoped(scope, move || foe::kill_workers(pools, foe, enough))
            .expect("a thread starts");
        named("resizer".into())
            .spawn_scoped(scope, move || foe::resize(pools, resizer, enough))
            .expect("a thread starts");
        let (brief, users) = users.split_last_mut().expect("there are users");
        let threads: Vec<_> = users
            .iter_mut()
            .map(|user| {
                named(format!("user {}", user.number))
                    .spawn_scoped(scope, move || user.live(places, enough))
                    .expect("a thread starts")
            })
            .collect();
        let brief = named("user of brief pools".into())
            .spawn_scoped(scope, move || {
                while !enough.load(Ordering::Relaxed) {
                    brief.brief();
                }
            })
            .expect("a thread starts");
        // Whoever panics ends it for all.
        let end = Instant::now() + length;
        let mut all = threads.iter().chain([&brief]);
        while Instant::now() < end && !all.clone().any(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let panicked = all.any(std::thread::ScopedJoinHandle::is_finished);
        enough.store(true, Ordering::Relaxed);
        if panicked {
            // What it said stands above; others may wait for what never comes.
            std::thread::sleep(Duration::from_secs(1));
            std::process::exit(1);
        }
        killer.join().expect("the killer does not panic")
    })
}

/// Waits until nothing moves.
fn calm_down(users: &mut [User<'_>], places: &[Place]) {
    for place in places {
        place.pool.resize(WORKERS).expect("there is one worker at least");
        doing("waiting for the workers to be those that there should be");
        until("all workers are there, and no others", || {
            let stats = place.pool.stats();
            stats.queued == 0 && stats.workers.len() == WORKERS
        });
        // What stragglers of a cancelled round still do is over when their worker has answered.
        let answers = place.pool.broadcast(|| (), ()).expect("the pool is open");
        assert!(answers.len() == WORKERS && answers.iter().all(Result::is_ok), "{answers:?}");
    }
    for user in users {
        doing("waiting for callbacks");
        until("every callback was called", || user.called.load(Ordering::Relaxed) >= user.asked);
        assert_eq!(user.called.load(Ordering::Relaxed), user.asked, "each once");
    }
    let expected = places.len() * WORKERS;
    doing("waiting for children to be gone");
    until("what brief pools and dead workers were is gone", || {
        let workers = children_of(std::process::id()).into_iter().filter(|child| child.title != SERVER);
        workers.count() == expected
    });
}

/// The forkserver's title: it stays for the next start.
const SERVER: &str = "offspring-fork";

fn start(counts: &Counts) -> Vec<Place> {
    let builder = || Pool::builder().workers(WORKERS).initializer(work::begin, (counts.clone(),));
    let plain = builder().name("plain").start().expect("a pool starts");
    let limited = builder().name("limited").max_tasks_per_child(3000).task_timeout(LIMIT).retries(2);
    let limited = limited.start().expect("a pool starts");
    let limits = Fate { limited: true, retries: 2, ..Fate::default() };
    vec![
        Place { pool: Arc::new(plain), fate: Fate::default() },
        Place { pool: Arc::new(limited), fate: limits },
    ]
}

fn main() {
    // Before the guard, so that children have it as well.
    work::print_no_panic_that_is_meant();
    offspring::init();
    let mut arguments = std::env::args().skip(1);
    let mut number = |what: &str, default: u64| {
        arguments.next().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{what}: a number")))
    };
    let length = Duration::from_secs(number("the seconds", 120));
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let seed = number("the seed", clock.as_nanos() as u64 % 1_000_000_007);
    println!("soak: {} s, seed {seed}", length.as_secs());
    IS_PARENT.store(true, Ordering::Relaxed);
    no_core_files();

    let begun = Instant::now();
    let mut dice = Dice::new(seed);
    let counts = Counts::zeroed(((USERS + 1) * PLACES) as usize).expect("there is memory");
    let rounds = AtomicU64::new(1);
    let mut users: Vec<User<'_>> = (0..=USERS)
        .map(|number| User {
            number,
            dice: Dice::new(dice.next()),
            counts: &counts,
            rounds: &rounds,
            tally: Tally::default(),
            asked: 0,
            called: Arc::default(),
        })
        .collect();
    let places = start(&counts);
    let pools: Vec<Arc<Pool>> = places.iter().map(|place| Arc::clone(&place.pool)).collect();
    vitals::watch(move || pools.iter().for_each(|pool| eprintln!("  {:?}", pool.stats())));

    let (mut kills, mut before, mut phases) = (0, None, 0);
    loop {
        let left = length.saturating_sub(begun.elapsed());
        kills += phase(&mut users, &places, &mut dice, PHASE.min(left.max(Duration::from_secs(1))));
        phases += 1;
        calm_down(&mut users, &places);
        let vitals = Vitals::take();
        let mut tally = Tally::default();
        for user in &users {
            tally.add(&user.tally);
        }
        println!("{:5} s: {} tasks, {kills} kills, {vitals}", begun.elapsed().as_secs(), tally.sum());
        // Without retries each kill costs one task at most, with them less.
        assert!(tally.killed <= kills, "{} tasks were lost in {kills} kills", tally.killed);
        if before.is_none() && (begun.elapsed() >= length / 4 || phases >= 6) {
            before = Some(vitals.clone()); // it is warm
            continue; // growth is looked for from here on
        }
        if begun.elapsed() < length {
            continue;
        }
        let before = before.expect("it is warm by now");
        println!("{tally:?}");
        if let Some(growth) = vitals.growth_since(&before) {
            panic!("something leaks. After warming up: {before}. Now: {vitals}. {growth}");
        }
        break;
    }
    doing("the end of the pools");
    places[0].pool.join();
    places[1].pool.terminate();
    drop(places);
    until("no worker is left", || children_of(std::process::id()).iter().all(|child| child.title == SERVER));
    println!("soak: done, {} outcomes", PROGRESS.load(Ordering::Relaxed));
}

/// Workers that are to crash leave no file behind.
fn no_core_files() {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_CORE, 0, 0).expect("a limit can be lowered");
}
