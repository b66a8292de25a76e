//! Processes are killed at random moments in tight loops over each primitive of synchronisation. Whoever is left goes on,
//! or has a typed error, the data under a lock are whole or known not to be, and nothing leaks.
//!
//! `OFFSPRING_TORTURE=n` makes it n times as long.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::fs::FileExt;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use offspring::sync::{
    Barrier, BarrierError, Condvar, Event, LockError, LockResult, Mutex, MutexGuard, Once, OnceError,
    ReentrantMutex, RwLock, Semaphore,
};
use offspring::{Attachment, Child};
use offspring_tests::{open_descriptors, watchdog};

/// How many processes are killed for each primitive.
const KILLS: u64 = 350;

/// How many work at once.
const WORKERS: usize = 3;
const PARTIES: u32 = 3;

/// One at a time, so that each can count what it leaks. The lock guards nothing that a failed test could have left half changed.
static ALONE: StdMutex<()> = StdMutex::new(());

/// How far each worker is: in a file, which works without what is tested here.
type Progress = Attachment<File>;

fn tick(progress: &Progress, me: usize, count: &mut u64) {
    *count += 1;
    progress.write_all_at(&count.to_ne_bytes(), me as u64 * 8).unwrap();
}

fn progress_of(progress: &Progress, worker: usize) -> u64 {
    let mut count = [0; 8];
    progress.read_exact_at(&mut count, worker as u64 * 8).unwrap();
    u64::from_ne_bytes(count)
}

/// Numbers in no order (xorshift).
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(RandomState::new().build_hasher().finish() | 1)
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn new_progress(name: &str) -> Progress {
    let path = std::env::temp_dir().join(format!("offspring-{name}-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file.set_len(WORKERS as u64 * 8).unwrap();
    file.into()
}

/// The mappings of shared memory of this process.
fn mappings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("memfd:offspring")).count()
}

/// Waits until workers have gone on from where they were.
fn all_go_on(progress: &Progress, workers: &[Child<()>], except: Option<usize>, seed: u64) {
    let watched = || (0..WORKERS).filter(|worker| Some(*worker) != except);
    let before: Vec<_> = (0..WORKERS).map(|worker| progress_of(progress, worker)).collect();
    let deadline = Instant::now() + Duration::from_secs(10);
    for worker in watched() {
        while progress_of(progress, worker) == before[worker] {
            if let Some(outcome) = workers[worker].wait_timeout(Duration::from_micros(200)).unwrap() {
                panic!("worker {worker} found something wrong: {outcome} (seed {seed})");
            }
            assert!(Instant::now() < deadline, "worker {worker} hangs (seed {seed})");
        }
    }
}

/// Kills workers, each time replacing the dead one. `alone` says whether the others go on also before that.
fn torture(name: &str, alone: bool, start: impl Fn(Progress, usize) -> Child<()>) {
    let progress = new_progress(name);
    let mut random = Random::new();
    let seed = random.0;
    let scale = std::env::var("OFFSPRING_TORTURE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1);
    let begin = |worker| start(Attachment::new(progress.try_clone().unwrap()), worker);
    let mut workers: Vec<_> = (0..WORKERS).map(begin).collect();
    all_go_on(&progress, &workers, None, seed);
    let dog = std::cell::Cell::new(Some(watchdog()));
    for kill in 0..KILLS * scale {
        if kill % 100 == 0 {
            dog.set(Some(watchdog()));
        }
        let moment = Instant::now() + Duration::from_micros(random.below(700));
        while Instant::now() < moment {
            std::thread::yield_now();
        }
        let victim = random.index(WORKERS);
        workers[victim].kill().unwrap();
        let status = workers[victim].wait().unwrap();
        assert_eq!(status.exitcode(), -9, "worker {victim} found something wrong (seed {seed})");
        if alone {
            all_go_on(&progress, &workers, Some(victim), seed);
        }
        workers[victim] = begin(victim);
        all_go_on(&progress, &workers, None, seed);
    }
    for worker in &workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
}

/// Runs a test that leaks neither descriptors nor mappings.
fn without_leaks(test: impl Fn()) {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // What is made once for all: the forkserver, its channel, the watcher.
    offspring::spawn(|| (), ()).unwrap().join().unwrap();
    let before = (open_descriptors(), mappings());
    test();
    let after = open_descriptors();
    assert_eq!(after.len(), before.0.len(), "descriptors leak: {:?} and now {after:?}", before.0);
    assert_eq!(mappings(), before.1, "mappings leak");
}

/// Two numbers that are equal whenever nobody is inside, and who is inside.
type Data = [u64; 3];

/// Locks, and repairs what a killed one left.
fn whole(got: LockResult<MutexGuard<'_, Data>>, mutex: &Mutex<Data>) -> (bool, u64) {
    let (mut data, repaired) = match got {
        Ok(data) => (data, false),
        Err(LockError::Poisoned(poison)) => (poison.into_inner(), true),
        Err(error) => panic!("{error}"),
    };
    if repaired {
        *data = [data[0], data[0], 0];
        mutex.clear_poison();
    }
    assert_eq!((data[0], data[2]), (data[1], 0), "half changed, and nobody said so");
    data[2] = 1;
    data[0] += 1;
    std::hint::black_box(&mut *data);
    data[1] += 1;
    data[2] = 0;
    (repaired, data[0])
}

#[offspring::test]
fn mutex() {
    without_leaks(|| {
        let mutex = Mutex::new(Data::default()).unwrap();
        let work = |mutex: Mutex<Data>, progress: Progress, me: usize| {
            let mut count = 0;
            loop {
                for _ in 0..20 {
                    whole(mutex.lock(), &mutex);
                }
                tick(&progress, me, &mut count);
            }
        };
        torture("mutex", true, |progress, me| offspring::spawn(work, (mutex.clone(), progress, me)).unwrap());
        whole(mutex.lock(), &mutex);
    });
}

#[offspring::test]
fn reentrant_mutex() {
    without_leaks(|| {
        let mutex = ReentrantMutex::new([AtomicU64::new(0), AtomicU64::new(0)]).unwrap();
        let work = |mutex: ReentrantMutex<[AtomicU64; 2]>, progress: Progress, me: usize| {
            let mut count = 0;
            loop {
                let got = mutex.lock();
                let poisoned = got.is_err();
                let outer = got.or_else(LockError::into_guard).unwrap();
                let numbers = [0, 1].map(|index| outer[index].load(Ordering::Relaxed));
                assert!(poisoned || numbers[0] == numbers[1], "half changed, and nobody said so");
                mutex.clear_poison();
                outer[0].store(numbers[0] + 1, Ordering::Relaxed);
                let inner = mutex.lock().unwrap();
                inner[1].store(numbers[0] + 1, Ordering::Relaxed);
                drop((outer, inner));
                tick(&progress, me, &mut count);
            }
        };
        let start = |progress, me| offspring::spawn(work, (mutex.clone(), progress, me)).unwrap();
        torture("reentrant", true, start);
    });
}

#[offspring::test]
fn rw_lock() {
    without_leaks(|| {
        let lock = RwLock::new(Data::default()).unwrap();
        let work = |lock: RwLock<Data>, progress: Progress, me: usize| {
            let mut count = 0;
            loop {
                match lock.read() {
                    Ok(data) => assert_eq!((data[0], data[2]), (data[1], 0), "half changed, unsaid"),
                    Err(LockError::Poisoned(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                if count % 4 == me as u64 {
                    let mut data = match lock.write() {
                        Ok(data) => data,
                        Err(LockError::Poisoned(poison)) => {
                            let mut data = poison.into_inner();
                            *data = [data[0], data[0], 0];
                            lock.clear_poison();
                            data
                        }
                        Err(error) => panic!("{error}"),
                    };
                    assert_eq!((data[0], data[2]), (data[1], 0), "half changed, and nobody said so");
                    data[2] = 1;
                    data[0] += 1;
                    std::hint::black_box(&mut *data);
                    data[1] += 1;
                    data[2] = 0;
                }
                tick(&progress, me, &mut count);
            }
        };
        torture("rwlock", true, |progress, me| offspring::spawn(work, (lock.clone(), progress, me)).unwrap());
    });
}

#[offspring::test]
fn semaphore() {
    without_leaks(|| {
        let seats = Semaphore::bounded(2).unwrap();
        let work = |seats: Semaphore, progress: Progress, me: usize| {
            let mut count = 0;
            loop {
                for _ in 0..10 {
                    let _seat = seats.acquire().unwrap();
                    assert!(seats.value().unwrap() <= 1, "more permits than there are");
                }
                tick(&progress, me, &mut count);
            }
        };
        let start = |progress, me| offspring::spawn(work, (seats.clone(), progress, me)).unwrap();
        torture("semaphore", true, start);
        let all = [(); 2].map(|()| seats.acquire().unwrap());
        assert!(seats.try_acquire().unwrap().is_none());
        drop(all);
        assert_eq!(seats.value().unwrap(), 2);
    });
}

#[offspring::test]
fn event() {
    without_leaks(|| {
        let (asked, told) = (Event::new().unwrap(), Event::new().unwrap());
        // The first one asks, the others answer.
        let work = |asked: Event, told: Event, progress: Progress, me: usize| {
            let mut count = 0;
            loop {
                if me == 0 {
                    asked.set().unwrap();
                    told.wait_timeout(Duration::from_millis(20)).unwrap();
                    told.clear().unwrap();
                } else {
                    asked.wait().unwrap();
                    asked.clear().unwrap();
                    told.set().unwrap();
                }
                tick(&progress, me, &mut count);
            }
        };
        torture("event", false, |progress, me| {
            offspring::spawn(work, (asked.clone(), told.clone(), progress, me)).unwrap()
        });
    });
}

/// What passes between producers and consumers, and two conditions to wait for.
type Queue = (Mutex<Data>, Condvar, Condvar);

/// One that is killed in the lock may have changed the number and not told: who finds that tells all.
fn good<'a>(got: LockResult<MutexGuard<'a, Data>>, (mutex, filled, emptied): &Queue) -> MutexGuard<'a, Data> {
    got.or_else(|error| {
        mutex.clear_poison();
        filled.notify_all().unwrap();
        emptied.notify_all().unwrap();
        error.into_guard()
    })
    .unwrap()
}

#[offspring::test]
fn condvar() {
    without_leaks(|| {
        let queue: Queue = (Mutex::new([0; 3]).unwrap(), Condvar::new().unwrap(), Condvar::new().unwrap());
        let work = |queue: Queue, progress: Progress, me: usize| {
            let (mutex, filled, emptied) = &queue;
            let mut count = 0;
            loop {
                let mut data = good(mutex.lock(), &queue);
                // The first one takes, the second one gives, the third one does both in turn.
                if me == 0 || (me == 2 && count % 2 == 0) {
                    while data[0] == 0 {
                        data = good(filled.wait(data), &queue);
                    }
                    data[0] -= 1;
                    emptied.notify_one().unwrap();
                } else {
                    while data[0] == 2 {
                        data = good(emptied.wait(data), &queue);
                    }
                    data[0] += 1;
                    filled.notify(1).unwrap();
                }
                assert!(data[0] <= 2);
                drop(data);
                tick(&progress, me, &mut count);
            }
        };
        let start = |progress, me| offspring::spawn(work, (queue.clone(), progress, me)).unwrap();
        torture("condvar", false, start);
    });
}

#[offspring::test]
fn barrier() {
    without_leaks(|| {
        let (barrier, acts) = (Barrier::new(PARTIES).unwrap(), Mutex::new(0_u64).unwrap());
        let work = |barrier: Barrier, acts: Mutex<u64>, progress: Progress, me: usize| {
            let mut count = 0;
            loop {
                let act = || *acts.lock().or_else(LockError::into_guard).unwrap() += 1;
                match barrier.wait_timeout_with(Duration::from_millis(500), act) {
                    Ok(met) => assert!(met.index() < PARTIES),
                    Err(BarrierError::Broken | BarrierError::TimedOut) => {
                        if barrier.is_broken().unwrap() {
                            barrier.reset().unwrap();
                        }
                    }
                    Err(error) => panic!("{error}"),
                }
                tick(&progress, me, &mut count);
            }
        };
        torture("barrier", false, |progress, me| {
            offspring::spawn(work, (barrier.clone(), acts.clone(), progress, me)).unwrap()
        });
        assert!(*acts.lock().or_else(LockError::into_guard).unwrap() > 0);
    });
}

#[offspring::test]
fn once() {
    without_leaks(|| {
        let mut random = Random::new();
        for _ in 0..KILLS / 2 {
            let _dog = watchdog();
            let (once, times) = (Once::new().unwrap(), Mutex::new([0_u32; 2]).unwrap());
            let work = |once: Once, times: Mutex<[u32; 2]>| {
                let act = || {
                    times.lock().or_else(LockError::into_guard).unwrap()[0] += 1;
                    (0..200).for_each(|number| _ = std::hint::black_box(number));
                    times.lock().or_else(LockError::into_guard).unwrap()[1] += 1;
                };
                match once.call_once(act) {
                    Ok(()) => {}
                    Err(OnceError::Poisoned { .. }) => once.call_once_force(|_| act()).unwrap(),
                    Err(error) => panic!("{error}"),
                }
                assert!(once.is_completed());
            };
            let start = || offspring::spawn(work, (once.clone(), times.clone())).unwrap();
            let children = [start(), start()];
            let moment = Instant::now() + Duration::from_micros(random.below(1500));
            while Instant::now() < moment {
                std::thread::yield_now();
            }
            children[0].kill().unwrap();
            children[1].join().unwrap();
            children[0].wait().unwrap();
            assert!(once.is_completed());
            let times = *times.lock().or_else(LockError::into_guard).unwrap();
            // Ended twice only by one that was killed after it had ended it and before it could say so.
            assert!(matches!(times, [1, 1] | [2, 1 | 2]), "{times:?}");
        }
    });
}
