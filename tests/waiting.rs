//! Waiting: for one, for several, for a while, and from asynchronous code.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use offspring::{JoinError, StartMethod};
use offspring_tests::{block_on, watchdog};

fn forever() {
    loop {
        std::thread::park();
    }
}

#[offspring::test]
fn a_child_can_be_awaited() {
    let _dog = watchdog();
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let start =
            |number| offspring::target(|n: u32| n + 1, (number,)).start_method(method).start().unwrap();
        assert_eq!(block_on(start(1).into_future()).unwrap(), 2);
        let child = start(2);
        assert_eq!(block_on(async { (&child).await }).unwrap(), 3);
        assert!(matches!(block_on(async { (&child).await }), Err(JoinError::AlreadyJoined { .. })));
    }
}

#[offspring::test]
fn a_child_that_ends_long_before_or_long_after_is_awaited_alike() {
    let _dog = watchdog();
    let ended = offspring::spawn(|| 1, ()).unwrap();
    ended.wait().unwrap();
    let running = offspring::spawn(forever, ()).unwrap();
    block_on(async {
        assert_eq!((&ended).await.unwrap(), 1);
        let mut join = pin!((&running).into_future());
        std::future::poll_fn(|context| {
            assert!(join.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        running.kill().unwrap();
        assert!(matches!(join.await, Err(JoinError::Ended { .. })));
    });
}

#[offspring::test]
fn a_child_can_be_awaited_while_a_thread_joins_it() {
    let _dog = watchdog();
    let child = offspring::spawn(forever, ()).unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| child.wait().unwrap());
        let timed = scope.spawn(|| while child.wait_timeout(Duration::from_millis(3)).unwrap().is_none() {});
        let awaited = scope.spawn(|| block_on(async { (&child).await }));
        assert!(child.wait_timeout(Duration::from_millis(50)).unwrap().is_none());
        child.kill().unwrap();
        assert_eq!(waits.join().unwrap().exitcode(), -9);
        timed.join().unwrap();
        assert!(awaited.join().unwrap().is_err());
    });
}

#[offspring::test]
fn wait_says_which_are_ready() {
    let _dog = watchdog();
    let children: Vec<_> = (0..5).map(|_| offspring::spawn(forever, ()).unwrap()).collect();
    let things: Vec<&dyn offspring::Waitable> = children.iter().map(|child| child as _).collect();
    assert_eq!(offspring::wait(&things, Some(Duration::ZERO)).unwrap(), []);
    children[3].kill().unwrap();
    assert_eq!(offspring::wait(&things, None).unwrap(), [3]);
    children[1].kill().unwrap();
    children[1].wait().unwrap();
    assert_eq!(offspring::wait(&things, None).unwrap(), [1, 3], "a joined child stays ready");
    assert_eq!(offspring::wait(&[], None).unwrap(), []);
    for child in &children {
        child.kill().unwrap();
    }
}

#[offspring::test]
fn sockets_and_pipes_can_be_waited_for_with_children() {
    use std::os::fd::AsFd;
    let _dog = watchdog();
    let (reader, writer) = std::io::pipe().unwrap();
    let child = offspring::spawn(forever, ()).unwrap();
    let reader = reader.as_fd();
    assert_eq!(offspring::wait(&[&child, &reader], Some(Duration::ZERO)).unwrap(), []);
    drop(writer);
    assert_eq!(offspring::wait(&[&child, &reader], None).unwrap(), [1]);
    child.kill().unwrap();
}

#[offspring::test]
fn a_time_out_may_be_as_long_as_it_likes() {
    let _dog = watchdog();
    let child = offspring::spawn(|| 1, ()).unwrap();
    assert_eq!(child.join_timeout(Duration::MAX).unwrap(), Some(1));
    let begun = Instant::now();
    assert_eq!(offspring::wait(&[], Some(Duration::from_millis(20))).unwrap(), []);
    assert!(begun.elapsed() >= Duration::from_millis(20));
}

#[offspring::test]
fn spares_are_fresh_when_they_are_used() {
    let _dog = watchdog();
    offspring::set_spares(4);
    for number in 0..40_u32 {
        let name = format!("NUMBER_{}", number % 3);
        let child = offspring::target(|name: String| std::env::var(name).ok(), (name.clone(),));
        let child = child.env(&name, number.to_string()).start().unwrap();
        assert_eq!(child.join().unwrap(), Some(number.to_string()));
    }
    offspring::set_spares(0);
}

#[offspring::test]
fn waits_that_time_out_together_leave_the_watcher_at_work() {
    let _dog = watchdog();
    let child = offspring::spawn(forever, ()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(child.wait_timeout(Duration::from_millis(30)).unwrap().is_none()));
        }
    });
    // Nobody but the watcher can wake this.
    let quick = offspring::spawn(|| std::thread::sleep(Duration::from_millis(100)), ()).unwrap();
    block_on(quick.into_future()).unwrap();
    child.kill().unwrap();
    assert!(block_on(async { (&child).await }).is_err());
}

#[offspring::test]
fn no_child_is_killed_by_its_own_order() {
    let _dog = watchdog();
    // The lifeline must not take the order that has just been read for the parent's end.
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        for spares in [0, 3] {
            offspring::set_spares(spares);
            for number in 0..400_u32 {
                let child = offspring::target(|n: u32| n, (number,)).start_method(method).start().unwrap();
                assert_eq!(child.join().unwrap(), number, "{method}, {spares} spares");
            }
        }
    }
    offspring::set_spares(0);
}
