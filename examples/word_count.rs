//! Word count over large text files: each worker reads ranges of them, and what it counted is added up by the parent.
//!
//! `word_count FILE…` counts the words of files; `word_count` writes four files of 8 MiB first, and removes them afterwards.
//! `word_count --range BYTES FILE…` says how long the ranges are (1 MiB).
//!
//! It prints how many words there are, how many different ones, how fast that was, and the ten most frequent.
//!
//! A file need not fit into memory, and none goes through the parent: it hands out names and offsets. A worker
//! that is killed costs nothing but time, since a range can be read again.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use offspring::Pool;
use serde::{Deserialize, Serialize};

type Counts = HashMap<String, u64>;

/// Bytes of a file. It has what begins in it: of what stands between white space, the first byte decides.
#[derive(Serialize, Deserialize)]
struct Range {
    file: PathBuf,
    start: u64,
    end: u64,
}

impl Range {
    fn read(&self) -> io::Result<Vec<u8>> {
        let mut reader = BufReader::new(File::open(&self.file)?);
        let mut text = Vec::new();
        let mut start = self.start;
        if start > 0 {
            // What began before is another's. If nothing did, there is white space before the first byte.
            start -= 1;
            reader.seek(SeekFrom::Start(start))?;
            finish(&mut reader, &mut text)?;
            start += text.len() as u64;
            text.clear();
        }
        reader.by_ref().take(self.end.saturating_sub(start)).read_to_end(&mut text)?;
        if text.last().is_some_and(|last| !last.is_ascii_whitespace()) {
            finish(&mut reader, &mut text)?;
        }
        Ok(text)
    }
}

/// Reads on to the next white space.
fn finish(reader: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let end = buffer.iter().position(u8::is_ascii_whitespace);
        let length = end.unwrap_or(buffer.len());
        let is_over = end.is_some() || buffer.is_empty();
        text.extend_from_slice(&buffer[..length]);
        reader.consume(length);
        if is_over {
            return Ok(());
        }
    }
}

/// A worker's task. Words are of letters and digits.
#[allow(clippy::needless_pass_by_value)] // what a task gets is its own
fn count(range: Range) -> Result<Counts, String> {
    let text = range.read().map_err(|error| format!("cannot read {}: {error}", range.file.display()))?;
    let text = String::from_utf8_lossy(&text).to_lowercase();
    let mut counts = HashMap::<&str, u64>::new();
    for word in text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word).or_default() += 1;
    }
    Ok(counts.into_iter().map(|(word, count)| (word.to_string(), count)).collect())
}

/// The ranges of all files, in bytes of `length`.
fn ranges(files: &[PathBuf], length: u64) -> anyhow::Result<Vec<Range>> {
    let mut ranges = Vec::new();
    for file in files {
        let about = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?;
        let size = about.len();
        let steps = (0..size).step_by(usize::try_from(length).unwrap_or(usize::MAX));
        ranges.extend(steps.map(|start| Range { file: file.clone(), start, end: size.min(start + length) }));
    }
    Ok(ranges)
}

fn count_words(files: &[PathBuf], length: u64) -> anyhow::Result<()> {
    let pool = Pool::builder().name("counter").retries(2).start()?;
    let ranges = ranges(files, length)?;
    let bytes = ranges.iter().map(|range| range.end - range.start).sum::<u64>();
    let begin = Instant::now();
    let mut counts = Counts::new();
    for (_, outcome) in pool.imap_unordered(count, ranges) {
        for (word, count) in outcome?.map_err(anyhow::Error::msg)? {
            *counts.entry(word).or_default() += count;
        }
    }
    let seconds = begin.elapsed().as_secs_f64();

    let words = counts.values().sum::<u64>();
    println!("{words} words, {} different ones, in {bytes} bytes", counts.len());
    #[allow(clippy::cast_precision_loss)] // nobody counts so far
    let (mib, millions) = (bytes as f64 / f64::from(1 << 20), words as f64 / 1e6);
    println!("{:.1} MiB and {:.2} million words a second", mib / seconds, millions / seconds);
    let mut frequent: Vec<(String, u64)> = counts.into_iter().collect();
    frequent.sort_by(|(word, count), (other, number)| number.cmp(count).then_with(|| word.cmp(other)));
    for (word, count) in frequent.iter().take(10) {
        println!("{count:8} {word}");
    }
    Ok(())
}

/// A worker's task, too: writes a text of random words, of which some are frequent and many are rare.
#[allow(clippy::needless_pass_by_value)] // what a task gets is its own
fn write(file: PathBuf, seed: u64, size: usize) -> Result<(), String> {
    const SYLLABLES: [&str; 16] =
        ["ba", "der", "en", "fi", "gor", "hu", "il", "ka", "lum", "mé", "no", "pra", "si", "tö", "um", "ver"];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = || {
        state ^= state << 13; // the generator is xorshift64
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut write = || {
        let mut writer = BufWriter::new(File::create(&file)?);
        let mut written = 0;
        while written < size {
            let (length, choice) = (random() % 4, random());
            let syllables = (0..=length).map(|place| {
                let either =
                    [choice >> (8 * place), choice >> (8 * place + 4)].map(|bits| (bits % 16) as usize);
                SYLLABLES[either[0].min(either[1])]
            });
            let mut word = syllables.collect::<String>();
            word.push_str(if choice >> 60 == 0 { ".\n" } else { " " });
            writer.write_all(word.as_bytes())?;
            written += word.len();
        }
        writer.flush()
    };
    write().map_err(|error: io::Error| format!("cannot write {}: {error}", file.display()))
}

/// Files of our own, which are removed at the end.
struct OwnFiles(PathBuf);

impl OwnFiles {
    fn write() -> anyhow::Result<(Self, Vec<PathBuf>)> {
        let folder = std::env::temp_dir().join(format!("offspring-word-count-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let own = Self(folder);
        let files: Vec<PathBuf> = (1..=4).map(|number| own.0.join(format!("{number}.txt"))).collect();
        let pool = Pool::builder().name("writer").start()?;
        let arguments = (1..).zip(&files).map(|(seed, file)| (file.clone(), seed, 8 << 20));
        for outcome in pool.starmap(write, arguments) {
            outcome?.map_err(anyhow::Error::msg)?;
        }
        Ok((own, files))
    }
}

impl Drop for OwnFiles {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let mut length = 1 << 20;
    if arguments.next_if(|argument| argument == "--range").is_some() {
        let number = arguments.next().and_then(|number| number.to_str()?.parse().ok());
        length =
            number.filter(|length| *length > 0).ok_or_else(|| anyhow!("--range takes a number of bytes"))?;
    }
    let files: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    if let Some(option) = files.iter().find(|file| file.as_os_str().as_encoded_bytes().starts_with(b"-")) {
        bail!("unknown option {}: the usage is `word_count [--range BYTES] [FILE…]`", option.display());
    }
    if files.is_empty() {
        let (_own, files) = OwnFiles::write()?;
        return count_words(&files, length);
    }
    count_words(&files, length)
}
