//! Buffers in values: of every size, in arguments and results, in collections, beside handles, through other formats.

use std::collections::BTreeMap;

use offspring::{Attachment, Bytes, Process, Run, StartMethod};
use offspring_tests::{pipe, until, watchdog};
use serde::{Deserialize, Serialize};

const METHODS: [StartMethod; 2] = [StartMethod::ForkServer, StartMethod::Spawn];

/// Bytes of which none is where its neighbour should be.
fn pattern(length: usize) -> Vec<u8> {
    (0..251).cycle().take(length).collect()
}

#[offspring::test]
fn buffers_of_every_length_go_and_come_back() {
    let _dog = watchdog();
    let edge = 16 << 10;
    for method in METHODS {
        for length in [0, 1, edge - 1, edge, edge + 1, (64 << 10) - 40, 64 << 10, 1 << 20] {
            let bytes = Bytes::from(pattern(length));
            let echo = |bytes: Bytes| (bytes.len(), bytes);
            let child = offspring::target(echo, (bytes.clone(),)).start_method(method).start().unwrap();
            let (seen, back) = child.join().unwrap();
            assert!(seen == length && back == bytes, "{method}: {length} bytes");
        }
    }
}

#[offspring::test]
fn a_buffer_of_200_mebibytes_goes_and_comes_back() {
    let _dog = watchdog();
    let length = 200 << 20;
    let turn = |bytes: Bytes| {
        let mut bytes = Vec::from(bytes);
        bytes.reverse();
        Bytes::from(bytes)
    };
    let mut bytes = vec![0; length];
    bytes[length - 1] = 7;
    let back = offspring::spawn(turn, (Bytes::from(bytes),)).unwrap().join().unwrap();
    assert_eq!((back.len(), back[0], back[length - 1]), (length, 7, 0));
}

#[derive(Process, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Album {
    title: String,
    #[serde(with = "offspring::bytes")]
    cover: Vec<u8>,
    pages: Vec<Bytes>,
    named: BTreeMap<String, Option<(Bytes, u8)>>,
    result: Result<Bytes, Box<Bytes>>,
}

impl Run for Album {
    type Output = Self;

    fn run(self) -> Self {
        self
    }
}

#[offspring::test]
fn buffers_in_collections_and_in_fields_that_stay_vectors_arrive() {
    let _dog = watchdog();
    for large in [3, 20_000] {
        let album = Album {
            title: "title".into(),
            cover: pattern(large),
            pages: (0..200).map(|page| Bytes::from(pattern(page % 7 * large))).collect(),
            named: [("none".into(), None), ("some".into(), Some((pattern(large + 1).into(), 9)))].into(),
            result: Err(Box::new(pattern(large + 2).into())),
        };
        for method in METHODS {
            let back = album.builder().start_method(method).start().unwrap().join().unwrap();
            assert!(back == album, "{method}, {large} bytes");
        }
    }
}

#[offspring::test]
fn buffers_and_handles_travel_in_one_value() {
    let _dog = watchdog();
    let make = |count: usize| {
        (0..count)
            .map(|index| (Bytes::from(pattern(index * 1000)), Attachment::new(pipe().0)))
            .collect::<Vec<_>>()
    };
    // More handles than a message takes, and more bytes.
    let arrived = offspring::spawn(make, (300,)).unwrap().join().unwrap();
    assert_eq!(arrived.len(), 300);
    assert!(arrived.iter().enumerate().all(|(index, (bytes, _))| **bytes == pattern(index * 1000)));
}

#[offspring::test]
fn a_result_outlives_its_child_and_the_handle_of_it() {
    let _dog = watchdog();
    for method in METHODS {
        let child =
            offspring::target(|| Bytes::from(pattern(1 << 20)), ()).start_method(method).start().unwrap();
        let pid = child.pid();
        until("the child is gone", || offspring_tests::look(pid).is_none());
        let bytes = child.join().unwrap();
        drop(child);
        let (part, other) = (bytes.slice(250..260), bytes.clone());
        drop(bytes);
        assert!(*part == pattern(260)[250..] && *other == pattern(1 << 20));
    }
}

#[test]
fn clones_and_parts_share_their_memory() {
    let vector = pattern(100_000);
    let address = vector.as_ptr();
    let bytes = Bytes::from(vector);
    assert_eq!(bytes.as_ptr(), address, "a vector becomes bytes without a copy");
    assert_eq!(bytes.clone().as_ptr(), address);
    assert_eq!(bytes.slice(10..).as_ptr(), address.wrapping_add(10));
    let vector = Vec::from(bytes);
    assert_eq!(vector.as_ptr(), address, "and a vector again, when nobody shares it");
}

#[test]
fn other_formats_see_plain_bytes() {
    for length in [0, 5, 16 << 10, 100_000] {
        let plain = pattern(length);
        let text = serde_json::to_string(&Bytes::from(plain.clone())).unwrap();
        assert_eq!(text, serde_json::to_string(&plain).unwrap());
        assert_eq!(serde_json::from_str::<Bytes>(&text).unwrap(), Bytes::from(plain));
    }
    assert_eq!(serde_json::from_str::<Bytes>("\"text\"").unwrap(), Bytes::from(&b"text"[..]));
    serde_json::from_str::<Bytes>("[256]").unwrap_err();
    let album = Album {
        title: String::new(),
        cover: pattern(20_000),
        pages: vec![pattern(20_000).into()],
        named: BTreeMap::new(),
        result: Ok(Bytes::default()),
    };
    let text = serde_json::to_string(&album).unwrap();
    assert_eq!(serde_json::from_str::<Album>(&text).unwrap(), album);
}

/// A value that goes through another format on its way.
#[derive(Serialize, Deserialize)]
struct Translated(#[serde(with = "as_json")] Vec<Bytes>);

mod as_json {
    use offspring::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[Bytes], serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::to_string(bytes).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bytes>, D::Error> {
        serde_json::from_str(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[offspring::test]
fn a_buffer_within_another_format_within_a_value_arrives() {
    let _dog = watchdog();
    let value = Translated(vec![pattern(10).into(), pattern(50_000).into()]);
    let back = offspring::spawn(|value: Translated| value, (value,)).unwrap().join().unwrap();
    assert!(back.0 == [Bytes::from(pattern(10)), Bytes::from(pattern(50_000))]);
}
