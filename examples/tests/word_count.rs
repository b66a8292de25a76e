//! The example `word_count`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

mod support;

/// What the example prints of some texts, but for the rate: counted by one thread, each text as a whole.
fn count(texts: &[String]) -> (String, Vec<String>) {
    let mut counts = HashMap::<String, u64>::new();
    for word in texts.iter().flat_map(|text| text.split(|character: char| !character.is_alphanumeric())) {
        if !word.is_empty() {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    let (words, bytes) = (counts.values().sum::<u64>(), texts.iter().map(String::len).sum::<usize>());
    let summary = format!("{words} words, {} different ones, in {bytes} bytes", counts.len());
    let mut frequent: Vec<(String, u64)> = counts.into_iter().collect();
    frequent.sort_by(|(word, count), (other, number)| number.cmp(count).then_with(|| word.cmp(other)));
    frequent.truncate(10);
    (summary, frequent.into_iter().map(|(word, count)| format!("{count:8} {word}")).collect())
}

/// Texts that are hard to cut: words of several bytes a letter, one longer than any range, none at the end, no end of
/// line, none at all.
fn texts() -> Vec<String> {
    let words = ["Übung", "der", "naïve", "éé", "x", "Straße,", "don't", "日本語", "\n", "The", "\t", "of  "];
    let long = "ab".repeat(5000);
    let many = (0..200_000_usize).map(|n| words[(n * n + n / 7) % words.len()]).collect::<Vec<_>>().join(" ");
    vec![many, format!("the {long} {long}of the"), String::new(), " \n ".repeat(1000), "end".to_string()]
}

#[test]
fn ranges_of_every_length_have_each_word_once() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("texts-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the directory for tests is there");
    let texts = texts();
    let files: Vec<String> = (0..texts.len())
        .map(|number| folder.join(format!("{number}.txt")).to_str().expect("its name is text").to_string())
        .collect();
    for (file, text) in files.iter().zip(&texts) {
        fs::write(file, text).expect("it is written");
    }
    let (summary, frequent) = count(&texts);
    for range in ["997", "4096", "65536", "1000000000"] {
        let mut arguments = vec!["--range", range];
        arguments.extend(files.iter().map(String::as_str));
        let example = support::run("word_count", &arguments);
        assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
        let lines: Vec<&str> = example.stdout.lines().collect();
        assert_eq!(lines[0], summary, "in ranges of {range} bytes");
        assert!(lines[1].ends_with(" million words a second"), "{}", lines[1]);
        assert_eq!(lines[2..], frequent, "in ranges of {range} bytes");
    }
    fs::remove_dir_all(folder).expect("it is ours");
}

#[test]
fn without_files_it_writes_its_own_and_removes_them() {
    let example = support::run("word_count", &[]);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = example.stdout.lines().collect();
    // Its texts are the same each time.
    assert_eq!(lines[0], "4799061 words, 60369 different ones, in 33554445 bytes");
    assert_eq!(lines[2], "  144997 ba");
    assert_eq!(lines.len(), 12, "{}", example.stdout);
    let folder = std::env::temp_dir().join(format!("offspring-word-count-{}", example.pid));
    assert!(!folder.exists(), "it left {}", folder.display());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let example = support::run("word_count", &["is/not/there.txt"]);
    assert_eq!((example.code, example.stdout.as_str()), (Some(1), ""));
    assert!(example.stderr.contains("cannot read is/not/there.txt"), "{}", example.stderr);
}
