//! Channels between processes and threads.
#![allow(clippy::needless_pass_by_value)] // what a child runs owns its arguments
#![allow(clippy::cast_possible_truncation)] // numbers of rounds are small
#![allow(clippy::items_after_statements)] // it stands where it is used

use std::time::Duration;

use offspring::channel::{
    self, Connection, Queue, QueueJoinError, Receiver, RecvError, SendFailure, Sender, TooManyDone,
};
use offspring::{Attachment, Bytes};
use offspring_tests::{block_on, until, watchdog};

#[offspring::test]
fn what_one_producer_sends_arrives_in_order_from_one_process_to_another() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<u64>().unwrap();
    let produce = |sender: Sender<u64>| (0..100_000).for_each(|number| sender.send(number).unwrap());
    let child = offspring::spawn(produce, (sender,)).unwrap();
    for (expected, number) in (0..100_000).zip(receiver.iter()) {
        assert_eq!(number.unwrap(), expected);
    }
    child.join().unwrap();
    assert!(matches!(receiver.recv(), Err(RecvError::Disconnected)));
}

#[offspring::test]
fn both_ends_work_in_threads_of_one_process() {
    let _dog = watchdog();
    let (sender, receiver) = channel::bounded::<String>(3).unwrap();
    let senders: Vec<_> = (0..4)
        .map(|number| {
            let sender = sender.clone();
            std::thread::spawn(move || (0..500).for_each(|n| sender.send(format!("{number}-{n}")).unwrap()))
        })
        .collect();
    drop(sender);
    let mut got: Vec<String> = receiver.iter().map(Result::unwrap).collect();
    got.sort();
    got.dedup();
    assert_eq!(got.len(), 2000);
    for sender in senders {
        sender.join().unwrap();
    }
}

fn consume(jobs: Receiver<u64>, answers: Sender<(u32, u64)>) -> u64 {
    let me = std::process::id();
    let mut count = 0;
    for job in &jobs {
        answers.send((me, job.unwrap())).unwrap();
        count += 1;
    }
    count
}

#[offspring::test]
fn each_message_goes_to_one_of_many_consumers() {
    let _dog = watchdog();
    let (sender, jobs) = channel::channel().unwrap();
    let (answers, results) = channel::channel().unwrap();
    let consumers: Vec<_> =
        (0..3).map(|_| offspring::spawn(consume, (jobs.clone(), answers.clone())).unwrap()).collect();
    drop((jobs, answers));
    let produce = |sender: Sender<u64>, from: u64| (from..from + 5000).for_each(|n| sender.send(n).unwrap());
    let producers: Vec<_> =
        (0..3).map(|n| offspring::spawn(produce, (sender.clone(), n * 5000)).unwrap()).collect();
    drop(sender);
    let mut last = std::collections::HashMap::new();
    let mut got: Vec<u64> = results
        .iter()
        .map(|result| {
            let (consumer, number) = result.unwrap();
            // What one producer sends reaches one consumer in order.
            let before = last.insert((consumer, number / 5000), number);
            assert!(before.is_none_or(|before| before < number));
            number
        })
        .collect();
    got.sort_unstable();
    assert_eq!(got, (0..15000).collect::<Vec<_>>());
    for producer in producers {
        producer.join().unwrap();
    }
    let counts: u64 = consumers.into_iter().map(|consumer| consumer.join().unwrap()).sum();
    assert_eq!(counts, 15000);
}

#[offspring::test]
fn a_channel_without_a_limit_takes_what_nobody_reads() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<[u64; 4]>().unwrap();
    for number in 0..200_000_u64 {
        sender.send([number; 4]).unwrap();
    }
    assert_eq!(receiver.len(), 200_000);
    for number in 0..200_000_u64 {
        assert_eq!(receiver.recv().unwrap(), [number; 4]);
    }
    assert!(receiver.is_empty());
    assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)));
    sender.send([1; 4]).unwrap();
    assert_eq!(receiver.recv().unwrap(), [1; 4]);
}

#[offspring::test]
fn a_full_channel_gives_the_value_back_and_waits_on_request() {
    let _dog = watchdog();
    let (sender, receiver) = channel::bounded(2).unwrap();
    sender.send("one".to_owned()).unwrap();
    sender.send("two".to_owned()).unwrap();
    assert!(sender.is_full());
    let error = sender.try_send("three".to_owned()).unwrap_err();
    assert!(matches!(error.reason(), SendFailure::Full));
    let error = sender.send_timeout(error.into_inner(), Duration::from_millis(20)).unwrap_err();
    assert!(matches!(error.reason(), SendFailure::TimedOut));
    let waiting = std::thread::spawn(move || sender.send(error.into_inner()).unwrap());
    assert_eq!(receiver.recv().unwrap(), "one");
    waiting.join().unwrap();
    assert_eq!(receiver.iter().map(Result::unwrap).collect::<Vec<_>>(), ["two", "three"]);
}

#[offspring::test]
fn a_send_to_a_process_that_was_killed_gives_the_value_back() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<u64>().unwrap();
    let (ready, is_ready) = channel::channel::<()>().unwrap();
    fn never(receiver: Receiver<u64>, ready: Sender<()>) {
        receiver.recv().unwrap();
        ready.send(()).unwrap();
        loop {
            std::thread::park();
        }
    }
    let child = offspring::spawn(never, (receiver, ready)).unwrap();
    sender.send(1).unwrap();
    is_ready.recv().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let error = sender.send(2).unwrap_err();
    assert!(matches!(error.reason(), SendFailure::Disconnected));
    assert_eq!(error.into_inner(), 2);
}

#[offspring::test]
fn a_receiver_that_waits_hears_of_the_death_of_the_last_sender() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<u64>().unwrap();
    fn hold(sender: Sender<u64>) {
        sender.send(7).unwrap();
        loop {
            std::thread::park();
        }
    }
    let child = offspring::spawn(hold, (sender,)).unwrap();
    assert_eq!(receiver.recv().unwrap(), 7);
    let waiting = std::thread::spawn(move || receiver.recv());
    child.kill().unwrap();
    assert!(matches!(waiting.join().unwrap(), Err(RecvError::Disconnected)));
}

#[offspring::test]
fn a_sender_that_waits_for_room_hears_of_the_death_of_the_last_receiver() {
    let _dog = watchdog();
    let (sender, receiver) = channel::bounded::<u64>(1).unwrap();
    fn hold(_receiver: Receiver<u64>) {
        loop {
            std::thread::park();
        }
    }
    let child = offspring::spawn(hold, (receiver,)).unwrap();
    sender.send(1).unwrap();
    let waiting = std::thread::spawn(move || sender.send(2));
    child.kill().unwrap();
    assert_eq!(waiting.join().unwrap().unwrap_err().into_inner(), 2);
}

#[offspring::test]
fn a_closed_channel_gives_what_is_left_and_takes_no_more() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel().unwrap();
    sender.send(1).unwrap();
    let other = sender.clone();
    receiver.close().unwrap();
    assert!(matches!(other.send(2).unwrap_err().reason(), SendFailure::Closed));
    assert_eq!(receiver.recv().unwrap(), 1);
    assert!(matches!(receiver.recv(), Err(RecvError::Disconnected)));
    assert!(matches!(receiver.try_recv(), Err(RecvError::Disconnected)));
}

#[offspring::test]
fn closing_wakes_who_waits_on_either_side() {
    let _dog = watchdog();
    let (sender, receiver) = channel::bounded::<u64>(1).unwrap();
    sender.send(1).unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|n| {
            let sender = sender.clone();
            std::thread::spawn(move || sender.send(n).unwrap_err().is_disconnected())
        })
        .collect();
    std::thread::yield_now();
    receiver.close().unwrap();
    assert!(waiting.into_iter().all(|waiting| waiting.join().unwrap()));

    let (sender, receiver) = channel::channel::<u64>().unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let receiver = receiver.clone();
            std::thread::spawn(move || receiver.recv().unwrap_err().is_disconnected())
        })
        .collect();
    sender.close().unwrap();
    assert!(waiting.into_iter().all(|waiting| waiting.join().unwrap()));
}

#[offspring::test]
fn large_messages_arrive_whole_and_their_memory_is_used_again() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<(u32, Bytes, Vec<u16>)>().unwrap();
    let (back, answers) = channel::channel::<Bytes>().unwrap();
    let echo = |receiver: Receiver<(u32, Bytes, Vec<u16>)>, back: Sender<Bytes>| {
        for message in &receiver {
            let (number, bytes, list) = message.unwrap();
            assert!(bytes.iter().all(|byte| *byte == number as u8));
            assert!(list.iter().all(|item| u32::from(*item) == number));
            back.send(bytes).unwrap();
        }
    };
    let child = offspring::spawn(echo, (receiver, back)).unwrap();
    for round in 1..=40_u32 {
        for length in [0, 1, 16 * 1024 - 1, 16 * 1024, 100_000, 1 << 20, 3_000_001] {
            let bytes = Bytes::from(vec![round as u8; length]);
            sender.send((round, bytes.clone(), vec![round as u16; length / 100])).unwrap();
            assert_eq!(answers.recv().unwrap(), bytes);
        }
    }
    drop(sender);
    child.join().unwrap();
}

#[offspring::test]
fn a_channel_that_bursts_and_gets_empty_again_and_again_never_runs_out_of_room() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<(u32, String)>().unwrap();
    let mut number = 0;
    for round in 0..400 {
        // What the ring holds, and now and then what it has to grow for.
        let bursts = [(4, 12_000), (1, 16_000), (50, 1000), (4, 12_000), (300, 8000)];
        let (count, length) = bursts[if round % 40 == 0 { 4 } else { round % 4 }];
        let message =
            |number: u32| (number, char::from(b'a' + (number % 26) as u8).to_string().repeat(length));
        (number..number + count).for_each(|number| sender.send(message(number)).unwrap());
        (number..number + count).for_each(|number| assert_eq!(receiver.recv().unwrap(), message(number)));
        number += count;
    }
}

#[offspring::test]
fn messages_of_every_length_arrive_in_order_while_the_receiver_lags_and_catches_up() {
    fn message(number: u64) -> (u64, String) {
        // Lengths that look random, from nothing to what barely goes in line.
        let length = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as usize % 16_300;
        (number, char::from(b'a' + (number % 26) as u8).to_string().repeat(length))
    }
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<(u64, String)>().unwrap();
    let produce = |sender: Sender<(u64, String)>| (0..20_000).for_each(|n| sender.send(message(n)).unwrap());
    let child = offspring::spawn(produce, (sender,)).unwrap();
    for number in 0..20_000 {
        assert_eq!(receiver.recv().unwrap(), message(number));
    }
    assert!(receiver.recv().unwrap_err().is_disconnected());
    child.join().unwrap();
}

#[offspring::test]
fn received_bytes_outlive_their_sender_and_the_channel() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<Bytes>().unwrap();
    let produce = |sender: Sender<Bytes>| sender.send(Bytes::from(vec![9; 2 << 20])).unwrap();
    offspring::spawn(produce, (sender,)).unwrap().join().unwrap();
    let bytes = receiver.recv().unwrap();
    drop(receiver);
    assert!(bytes.len() == 2 << 20 && bytes.iter().all(|byte| *byte == 9));
}

#[offspring::test]
fn handles_travel_in_messages_also_channels_and_more_than_one_message_takes() {
    let _dog = watchdog();
    type Message = (Vec<Attachment<std::io::PipeReader>>, Sender<u32>);
    let (sender, receiver) = channel::channel::<Message>().unwrap();
    let consume = |receiver: Receiver<Message>| {
        for message in &receiver {
            let (pipes, answer) = message.unwrap();
            for mut pipe in pipes {
                let mut bytes = [0; 4];
                std::io::Read::read_exact(&mut *pipe, &mut bytes).unwrap();
                answer.send(u32::from_le_bytes(bytes)).unwrap();
            }
        }
    };
    let child = offspring::spawn(consume, (receiver,)).unwrap();
    for count in [0, 1, 2, 253, 300] {
        let (answer, answers) = channel::channel().unwrap();
        let pipes = (0..count).map(|number: u32| {
            let (reader, mut writer) = std::io::pipe().unwrap();
            std::io::Write::write_all(&mut writer, &number.to_le_bytes()).unwrap();
            Attachment::new(reader)
        });
        sender.send((pipes.collect(), answer)).unwrap();
        let got: Vec<u32> = answers.iter().map(Result::unwrap).collect();
        assert_eq!(got, (0..count).collect::<Vec<_>>());
    }
    drop(sender);
    child.join().unwrap();
}

#[offspring::test]
fn a_handle_that_nobody_receives_is_closed() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    sender.send(Attachment::new(writer)).unwrap();
    drop((sender, receiver));
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut rest).unwrap();
    assert!(rest.is_empty());
}

#[offspring::test]
fn an_item_that_cannot_be_encoded_is_an_error_with_the_value_inside() {
    #[derive(Debug, serde::Deserialize)]
    struct Stubborn(u8);
    impl serde::Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    let _dog = watchdog();
    let (sender, receiver) = channel::channel().unwrap();
    let error = sender.send(Stubborn(3)).unwrap_err();
    assert!(matches!(error.reason(), SendFailure::Encode(why) if why == "not today"));
    assert_eq!(error.into_inner().0, 3);
    assert!(receiver.is_empty());
}

#[offspring::test]
fn an_item_that_cannot_be_decoded_harms_only_itself() {
    #[derive(serde::Serialize)]
    struct Picky(u8);
    impl<'de> serde::Deserialize<'de> for Picky {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let number = u8::deserialize(deserializer)?;
            if number == 1 { Err(serde::de::Error::custom("one is not read")) } else { Ok(Self(number)) }
        }
    }
    let _dog = watchdog();
    let (sender, receiver) = channel::channel().unwrap();
    (0..3).for_each(|number| sender.send(Picky(number)).unwrap());
    assert_eq!(receiver.recv().unwrap().0, 0);
    assert!(matches!(receiver.recv(), Err(RecvError::Decode(why)) if why == "one is not read"));
    assert_eq!(receiver.recv().unwrap().0, 2);
}

#[offspring::test]
fn an_end_of_another_item_type_is_refused_on_arrival() {
    let _dog = watchdog();
    #[derive(serde::Serialize)]
    struct Lie(Sender<u32>);
    impl<'de> serde::Deserialize<'de> for Lie {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let error = Sender::<String>::deserialize(deserializer).unwrap_err();
            Err(error)
        }
    }
    let (sender, _receiver) = channel::channel().unwrap();
    let child = offspring::spawn(|_: Lie| (), (Lie(sender),)).unwrap();
    let error = child.join().unwrap_err();
    assert!(error.to_string().contains("another type"), "{error}");
}

#[offspring::test]
fn an_end_needs_two_descriptors_and_nothing_is_left_of_a_channel() {
    let _dog = watchdog();
    // In a process of its own: the descriptors of other tests come and go.
    let body = || {
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let memory =
            || std::fs::read_to_string("/proc/self/maps").unwrap().matches("/memfd:offspring ").count();
        let before = (count(), memory());
        let channels: Vec<_> = (0..10).map(|_| channel::channel::<u64>().unwrap()).collect();
        // Both ends in one process share the memory.
        assert_eq!((count(), memory()), (before.0 + 30, before.1 + 10));
        drop(channels);
        assert_eq!((count(), memory()), before);
    };
    offspring::spawn(body, ()).unwrap().join().unwrap();
}

#[offspring::test]
fn a_receiver_that_waits_for_long_takes_no_processor_time() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<u64>().unwrap();
    let idle = |receiver: Receiver<u64>| {
        let ticks = || -> u64 {
            let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
            stat.split(' ').next().unwrap().parse().unwrap()
        };
        receiver.recv().unwrap();
        let before = ticks();
        receiver.recv().unwrap();
        ticks() - before
    };
    let child = offspring::spawn(idle, (receiver,)).unwrap();
    sender.send(1).unwrap();
    until("it sleeps in poll", || {
        std::fs::read_to_string(format!("/proc/{}/wchan", child.pid()))
            .is_ok_and(|place| place.contains("poll"))
            || std::fs::read_to_string(format!("/proc/{}/syscall", child.pid()))
                .is_ok_and(|call| call.starts_with("7 "))
    });
    sender.send(2).unwrap();
    assert!(child.join().unwrap() < 20_000_000, "nanoseconds");
}

#[offspring::test]
fn a_pipe_carries_values_and_bytes_both_ways() {
    let _dog = watchdog();
    let (ours, theirs) = offspring::pipe::<String, u64>().unwrap();
    let child = |parent: Connection<u64, String>| {
        let text = parent.recv().unwrap();
        parent.send(text.len() as u64).unwrap();
        let bytes = parent.recv_bytes().unwrap();
        parent.send_bytes(&bytes).unwrap();
    };
    let child = offspring::spawn(child, (theirs,)).unwrap();
    ours.send("twelve bytes".into()).unwrap();
    assert_eq!(ours.recv().unwrap(), 12);
    assert!(!ours.poll(Duration::ZERO).unwrap());
    ours.send_bytes(&vec![7; 100_000]).unwrap();
    assert!(ours.poll(Duration::from_secs(30)).unwrap());
    assert!(matches!(
        ours.recv_bytes_at_most(99_999),
        Err(RecvError::TooLong { length: 100_000, maximum: 99_999 })
    ));
    let mut buffer = vec![0; 100_001];
    assert!(matches!(ours.recv_bytes_into(&mut buffer[..10]), Err(RecvError::TooLong { .. })));
    assert_eq!(ours.recv_bytes_into(&mut buffer).unwrap(), 100_000);
    assert!(buffer[..100_000].iter().all(|byte| *byte == 7));
    child.join().unwrap();
    assert!(ours.poll(Duration::from_secs(30)).unwrap());
    assert!(matches!(ours.recv(), Err(RecvError::Disconnected)));
    assert!(ours.send("nobody".into()).unwrap_err().is_disconnected());
}

#[offspring::test]
fn the_wrong_call_for_a_message_says_so_and_loses_nothing() {
    let _dog = watchdog();
    let (ours, theirs) = offspring::pipe::<(Bytes, Attachment<std::fs::File>), ()>().unwrap();
    // In line and in a slot, with handles and without.
    let file = || Attachment::new(std::fs::File::open("/dev/null").unwrap());
    for length in [0, 100, 100_000] {
        ours.send((vec![1; length].into(), file())).unwrap();
        ours.send_bytes(&vec![2; length]).unwrap();
    }
    let check = |ours: Connection<(), (Bytes, Attachment<std::fs::File>)>| {
        for length in [0, 100, 100_000] {
            for _ in 0..3 {
                assert!(matches!(ours.recv_bytes(), Err(RecvError::IsValue)));
                assert!(matches!(ours.recv_bytes_at_most(1), Err(RecvError::IsValue)));
            }
            let (bytes, _file) = ours.recv().unwrap();
            assert_eq!(bytes, Bytes::from(vec![1; length]));
            for _ in 0..3 {
                assert!(matches!(ours.recv(), Err(RecvError::IsBytes)));
                assert!(matches!(ours.try_recv(), Err(RecvError::IsBytes)));
                assert!(matches!(block_on(ours.recv_async()), Err(RecvError::IsBytes)));
            }
            assert_eq!(ours.recv_bytes().unwrap(), Bytes::from(vec![2; length]));
        }
        assert!(matches!(ours.try_recv(), Err(RecvError::Empty)));
    };
    offspring::spawn(check, (theirs,)).unwrap().join().unwrap();
}

#[offspring::test]
fn an_empty_message_is_a_message() {
    let _dog = watchdog();
    let (one, other) = offspring::pipe::<(), ()>().unwrap();
    one.send_bytes(&[]).unwrap();
    assert!(other.poll(Duration::ZERO).unwrap());
    assert!(other.recv_bytes().unwrap().is_empty());
    assert!(matches!(other.try_recv(), Err(RecvError::Empty)));
}

#[offspring::test]
fn a_wait_tells_which_of_receivers_children_and_sockets_are_ready() {
    let _dog = watchdog();
    let (to_first, first) = channel::channel::<u8>().unwrap();
    let (to_second, second) = channel::channel::<u8>().unwrap();
    let (local, _remote) = std::os::unix::net::UnixStream::pair().unwrap();
    let local_fd = std::os::fd::AsFd::as_fd(&local);
    let (start, started) = channel::channel::<()>().unwrap();
    let child = |start: Receiver<()>, second: Sender<u8>| {
        start.recv().unwrap();
        second.send(5).unwrap();
        start.recv().unwrap_err();
    };
    let child = offspring::spawn(child, (started, to_second)).unwrap();
    let things: [&dyn offspring::Waitable; 4] = [&first, &second, &child, &local_fd];
    assert_eq!(offspring::wait(&things, Some(Duration::from_millis(30))).unwrap(), [] as [usize; 0]);
    start.send(()).unwrap();
    assert_eq!(offspring::wait(&things, None).unwrap(), [1]);
    assert_eq!(second.recv().unwrap(), 5);
    to_first.send(1).unwrap();
    assert_eq!(offspring::wait(&things, None).unwrap(), [0]);
    assert_eq!(first.recv().unwrap(), 1);
    drop(start);
    let mut ready = Vec::new();
    while ready != [1, 2] {
        ready = offspring::wait(&things, None).unwrap();
        assert!(ready.iter().all(|index| [1, 2].contains(index)), "{ready:?}");
    }
    assert!(matches!(second.recv(), Err(RecvError::Disconnected)));
}

#[offspring::test]
fn many_threads_in_one_wait_each_hear_of_their_channel() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<u32>().unwrap();
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let receiver = receiver.clone();
            std::thread::spawn(move || {
                let mut got = 0;
                loop {
                    offspring::wait(&[&receiver], None).unwrap();
                    match receiver.try_recv() {
                        Ok(_) => got += 1,
                        Err(error) if error.is_disconnected() => return got,
                        Err(_) => {}
                    }
                }
            })
        })
        .collect();
    for number in 0..2000 {
        sender.send(number).unwrap();
        if number % 100 == 0 {
            until("all is read, and they sleep", || receiver.is_empty());
        }
    }
    drop(sender);
    let got: u32 = waiting.into_iter().map(|waiting| waiting.join().unwrap()).sum();
    assert_eq!(got, 2000);
}

#[offspring::test]
fn tasks_await_messages_and_room() {
    let _dog = watchdog();
    let (sender, numbers) = channel::bounded::<u64>(2).unwrap();
    let (answers, receiver) = channel::bounded::<u64>(2).unwrap();
    let child = |numbers: Receiver<u64>, answers: Sender<u64>| {
        block_on(async {
            while let Ok(number) = numbers.recv_async().await {
                answers.send_async(number + 1).await.unwrap();
            }
        });
    };
    let child = offspring::spawn(child, (numbers, answers)).unwrap();
    let producer = std::thread::spawn(move || {
        block_on(async {
            for number in 0..3000 {
                sender.send_async(number).await.unwrap();
            }
        });
    });
    block_on(async {
        for number in 0..3000 {
            assert_eq!(receiver.recv_async().await.unwrap(), number + 1);
        }
        assert!(matches!(receiver.recv_async().await, Err(RecvError::Disconnected)));
    });
    producer.join().unwrap();
    child.join().unwrap();
}

#[offspring::test]
fn a_queue_is_joined_when_all_its_tasks_are_done() {
    let _dog = watchdog();
    let queue = Queue::<u64>::bounded(10).unwrap();
    let done = offspring::shm::Shared::new(std::sync::atomic::AtomicU64::new(0)).unwrap();
    let work = |queue: Queue<u64>, done: offspring::shm::Shared<std::sync::atomic::AtomicU64>| {
        while queue.get().is_ok() {
            done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            queue.task_done().unwrap();
        }
        assert_eq!(queue.task_done(), Err(TooManyDone));
    };
    let workers: Vec<_> =
        (0..2).map(|_| offspring::spawn(work, (queue.clone(), done.clone())).unwrap()).collect();
    for round in 1..=3 {
        (0..200).for_each(|task| queue.put(task).unwrap());
        queue.join().unwrap();
        assert_eq!(done.load(std::sync::atomic::Ordering::Relaxed), round * 200);
    }
    queue.close().unwrap();
    assert!(queue.put(1).unwrap_err().is_disconnected());
    for worker in workers {
        worker.join().unwrap();
    }
}

fn take_two_and_sleep(queue: Queue<u64>, taken: Sender<()>) {
    queue.get().unwrap();
    queue.get().unwrap();
    taken.send(()).unwrap();
    loop {
        std::thread::park();
    }
}

#[offspring::test]
fn a_consumer_that_dies_with_tasks_in_hand_is_an_error_of_the_join_and_not_a_hang() {
    let _dog = watchdog();
    let queue = Queue::<u64>::new().unwrap();
    (0..5).for_each(|task| queue.put(task).unwrap());
    let (taken, is_taken) = channel::channel().unwrap();
    let child = offspring::spawn(take_two_and_sleep, (queue.clone(), taken)).unwrap();
    is_taken.recv().unwrap();
    assert!(matches!(queue.join_timeout(Duration::from_millis(10)), Err(QueueJoinError::TimedOut)));
    child.kill().unwrap();
    child.wait().unwrap();
    match queue.join() {
        Err(QueueJoinError::ConsumerDied { pid, tasks: 2 }) => assert_eq!(pid, child.pid()),
        other => panic!("{other:?}"),
    }
    for _ in 0..3 {
        queue.get().unwrap();
        queue.task_done().unwrap();
    }
    queue.join().unwrap();
}
