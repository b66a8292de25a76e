//! Thumbnails of a folder of pictures: a file that crashes the decoder takes down one worker, and is reported; all others
//! get their thumbnail.
//!
//! `thumbnails FOLDER` makes thumbnails of the JPEG and PNG files in FOLDER, in `FOLDER/thumbnails`. `thumbnails` draws
//! pictures first, in a new folder which it leaves there to be looked at. One of them is corrupt.
//!
//! It prints a line per picture, in the order of their names, and the number of thumbnails and failures. A failure makes
//! the exit code 1; but the corrupt picture that was drawn has to fail, and the exit code is 0 if it does.
//!
//! # How the decoder crashes
//!
//! The header of the corrupt picture was overwritten: it says that it is 65535 pixels wide and high. The decoder has no
//! limits of its own here, as many a decoder in C has none, and asks for the 12 GiB that such a picture takes. Each
//! worker may have 1 GiB: the system refuses, and the program that gets no memory ends with SIGABRT, in the middle of
//! the decoder. Nothing in the worker could catch that. What Rust's runtime says then is on standard error.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use image::{DynamicImage, ImageReader, RgbImage};
use offspring::Pool;
use offspring::pool::TaskFailure;
use serde::{Deserialize, Serialize};

/// How wide and high a thumbnail is at most.
const SIZE: u32 = 256;

/// What is drawn, if there is nothing else.
const DRAWN: [(&str, u32, u32); 8] = [
    ("autumn.jpg", 2400, 1800),
    ("bay.jpg", 1800, 2400),
    ("chart.png", 1600, 1200),
    (CORRUPT, 2000, 1500),
    ("dunes.jpg", 3000, 1000),
    ("evening.png", 1200, 1200),
    ("fog.jpg", 2000, 1500),
    ("glacier.jpg", 1500, 2000),
];
const CORRUPT: &str = "corrupt.jpg";

/// What workers return: how large the picture is, and its thumbnail.
#[derive(Serialize, Deserialize)]
struct Sizes {
    picture: (u32, u32),
    thumbnail: (u32, u32),
}

/// Called by each worker, before its first task.
fn limit_memory() {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, setrlimit};
        const LIMIT: u64 = 1 << 30;
        setrlimit(Resource::RLIMIT_AS, LIMIT, LIMIT).expect("a limit can be lowered");
    }
}

/// A worker's task. What is no picture is an error; what crashes the decoder ends the worker.
#[allow(clippy::needless_pass_by_value)] // what a task gets is its own
fn make_thumbnail((picture, thumbnail): (PathBuf, PathBuf)) -> Result<Sizes, String> {
    let make = || {
        let mut reader = ImageReader::open(&picture)?.with_guessed_format()?;
        reader.no_limits(); // the worker has one
        let picture = reader.decode()?;
        let size = SIZE.min(picture.width().max(picture.height())); // it does not grow
        let small = picture.thumbnail(size, size);
        small.save(&thumbnail)?;
        Ok(Sizes { picture: (picture.width(), picture.height()), thumbnail: (small.width(), small.height()) })
    };
    make().map_err(|error: image::ImageError| error.to_string())
}

/// Makes the thumbnails: the names of those that could not be made.
fn make_thumbnails(folder: &Path) -> anyhow::Result<Vec<String>> {
    let output = folder.join("thumbnails");
    let names = pictures(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    if names.is_empty() {
        bail!("there are no pictures in {}", folder.display());
    }
    fs::create_dir_all(&output).with_context(|| format!("cannot make {}", output.display()))?;

    let pool = Pool::builder()
        .name("decoder")
        .initializer(limit_memory, ())
        .task_timeout(Duration::from_secs(300)) // a decoder can also hang
        .start()?;
    let paths = names.iter().map(|name| (folder.join(name), output.join(name)));
    let mut failed = Vec::new();
    for (name, outcome) in names.iter().zip(pool.imap(make_thumbnail, paths)) {
        let problem = match outcome {
            Ok(Ok(Sizes { picture: (width, height), thumbnail: (narrow, low) })) => {
                println!("{name}: {width} x {height}, its thumbnail {narrow} x {low}");
                continue;
            }
            Ok(Err(error)) => error,
            Err(error) => match error.failure() {
                TaskFailure::Ended(status) => format!("it crashes the decoder ({status})"),
                other => other.to_string(),
            },
        };
        println!("{name}: no thumbnail, {problem}");
        failed.push(name.clone());
    }
    let made = names.len() - failed.len();
    println!("{made} thumbnails in {}, {} failed", output.display(), failed.len());
    Ok(failed)
}

/// The names of the pictures in a folder.
fn pictures(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = PathBuf::from(entry?.file_name());
        let kind = name.extension().unwrap_or_default().to_ascii_lowercase();
        if kind == "jpg" || kind == "jpeg" || kind == "png" {
            names.extend(name.to_str().map(str::to_string));
        }
    }
    names.sort();
    Ok(names)
}

/// Draws pictures in a new folder, and spoils one.
fn draw_pictures() -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("offspring-thumbnails-{}", std::process::id()));
    fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let pool = Pool::builder().name("painter").start()?;
    let pictures = DRAWN.map(|(name, width, height)| (folder.join(name), width, height));
    for outcome in pool.starmap(draw, pictures) {
        outcome?.map_err(anyhow::Error::msg)?;
    }
    spoil(&folder.join(CORRUPT))?;
    Ok(folder)
}

/// A worker's task, too: draws a sky, and hills that are darker the nearer they are.
#[allow(clippy::needless_pass_by_value, clippy::cast_possible_truncation)] // what a task gets is its own; pixels are few
fn draw(file: PathBuf, width: u32, height: u32) -> Result<(), String> {
    const COLOURS: [[u8; 3]; 5] =
        [[130, 170, 230], [99, 165, 132], [78, 130, 104], [57, 95, 76], [36, 60, 48]];
    let (across, down) = (width as usize, height as usize);
    // How far each hill reaches up, and how far the sky down, from column to column.
    let ridge = |x: f64, hill: f64| {
        let swell =
            (x * 5.0 + hill * 2.0).sin() + (x * 13.0 + hill * 5.0).sin() / 3.0 + (x * 71.0).sin() / 20.0;
        0.15 + hill * 0.15 + swell * 0.07
    };
    let mut pixels = vec![0; across * down * 3];
    for (column, x) in (0..width).zip(0..across) {
        let mut y = 0;
        for (hill, colour) in (1_u8..).zip(COLOURS) {
            let next = ridge(f64::from(column) / f64::from(width), f64::from(hill)) * f64::from(height);
            let end = if usize::from(hill) < COLOURS.len() { (next as usize).clamp(y, down) } else { down };
            for y in y..end {
                pixels[(y * across + x) * 3..][..3].copy_from_slice(&colour);
            }
            y = end;
        }
    }
    let picture = RgbImage::from_raw(width, height, pixels).ok_or("its pixels are missing")?;
    DynamicImage::from(picture).save(&file).map_err(|error| format!("{}: {error}", file.display()))
}

/// Has a JPEG file say that it is as large as a JPEG file can be: ITU-T T.81, section B.2.2, has the frame header.
fn spoil(file: &Path) -> anyhow::Result<()> {
    let mut bytes = fs::read(file)?;
    // Marker, length, precision, height, width.
    let frame = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).context("it is a JPEG file")?;
    bytes[frame + 5..frame + 9].fill(0xff);
    Ok(fs::write(file, bytes)?)
}

#[offspring::main]
fn main() -> anyhow::Result<ExitCode> {
    if let Some(folder) = std::env::args_os().nth(1) {
        let failed = make_thumbnails(Path::new(&folder))?;
        return Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let failed = make_thumbnails(&draw_pictures()?)?;
    ensure!(failed == [CORRUPT], "{CORRUPT} was to fail, and nothing else");
    Ok(ExitCode::SUCCESS)
}
