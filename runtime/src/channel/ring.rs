//! The memory of a channel: a ring of records under two locks, and the slots of large messages.
//!
//! # The file
//!
//! One memory file, which has no name and is gone with the last process that holds it:
//!
//! | at | what |
//! |---|---|
//! | 0 | the [`Header`]: limits, locks, positions, bells, the table of slots |
//! | [`HEADER`] | the ring's segments: the first of 256 KiB, each next one twice as large |
//! | [`TABLES`] | the further tables of slots |
//! | [`SLABS`] | the slots, one after the other |
//!
//! The file is sparse: only what has been written takes memory.
//!
//! # Records
//!
//! A position counts bytes from the beginning of the first segment, and is a multiple of eight. A record is a word that says its
//! length and kind, and what follows. Where the next record is going to be, the word is zero: a receiver looks there and nowhere else, so
//! that a message costs it one cache line of the sender's. The ring wraps within a segment (a `WRAP` record); when that is full and
//! the channel may grow, it goes on in the next segment (a `JUMP` record), and the receiver gives the memory of the old one back before it
//! leaves it. When the ring has got empty in a segment that is larger than it needed, it goes back to the one before it. So
//! a channel that is read as fast as it is written stays within few pages, one that is not grows as a `Vec` does, and shrinks again.
//!
//! # Who is killed when
//!
//! Senders exclude each other by a robust lock, receivers by another. A record is **sent** by the one store of its word (or of the word
//! that leads to it), **received** by the one store of the receivers' position. Whoever is killed before it has sent nothing, or received nothing;
//! whoever is killed after it has. What else there is to write follows; the next holder of the lock, who is told that the
//! last one died, completes it from what that one had noted down before the store ([`Ring::settle_senders`],
//! [`Ring::settle_receivers`]).
//!
//! # Slots
//!
//! What is too large for the ring lies in a slot, of which the record only tells. Slots stay mapped and are used again and
//! again: a fresh page costs more than a copy of it. A receiver reads a slot in place, and frees it when it drops what it read.
//! While a slot is filled or read it has an [`Owner`]: when slots are short, those of dead owners are taken back
//! ([`Ring::collect`]).
//!
//! The first [`KEPT_SLOTS`] are in the header. When more messages wait, or are being read, there are further tables, each as large as
//! all before it. Slots there are for a crowd that passes: they give their memory back when they are free, and nobody keeps them mapped.

use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use super::bell::Bell;
use crate::sys::memory::{self, Mapping, Populate};
use crate::sys::owner::{Owner, OwnerCell};
use crate::sys::robust::{Held, Locked, RobustMutex};
use crate::sys::seal::{self, Seal};
use crate::sys::shareable::shared_layout;
use crate::sys::{Borrowed, Object, borrow, cpu};
use crate::wire::codec::{Codec, Wire};

/// Where the ring begins in the file.
const HEADER: u64 = 256 * 1024;
/// The length of the first segment.
const SEGMENT: u64 = 256 * 1024;
/// How many segments there can be: as many as there is room for, and where there is a lot of it the last is of 64 GiB.
const SEGMENTS: usize = {
    let room = (TABLES / SEGMENT).ilog2() as usize; // the header is as long as the first
    if room < 19 { room } else { 19 }
};
/// Where the slots begin in the file: in the middle of what there can be.
const SLABS: u64 = memory::REACH / 2;
/// How many slots keep their memory and stay mapped.
const KEPT_SLOTS: usize = 1024;
/// How many further tables of slots there can be, and how many slots in all.
const FURTHER_TABLES: usize = 10;
const SLOTS: usize = KEPT_SLOTS << FURTHER_TABLES;
/// Where the further tables begin in the file: behind the ring, which takes 128 GiB at most. A slot's place there goes by its number.
const TABLES: u64 = SLABS / 2;
/// How many processes can take tasks out of a queue at once.
const CONSUMERS: usize = 256;
/// The least capacity of a slot.
const SMALLEST_SLOT: u64 = 64 * 1024;
/// A slot whose capacity is larger gives its memory back as soon as it is free.
const LARGEST_KEPT_SLOT: u64 = 256 << 20;
/// A ring that has got empty begins anew at its segment's start from here on: few pages stay warm.
const RESTART: u64 = 32 * 1024;

/// How often a sender looks how far the receivers are, at least: every so many bytes.
const PAGE: u64 = 4096;

/// The longest record that goes into the ring: what is longer goes into a slot.
pub(super) const MAX_INLINE: usize = 16 * 1024;

/// The word at the head of a record.
const WORD: u64 = 8;
/// What marks a file as a channel.
const MAGIC: u64 = u64::from_le_bytes(*b"offchan1");

shared_layout! {
    pub(super) struct Header {
        magic: AtomicU64,
        /// Tells channels of different item types apart.
        item: AtomicU64,
        /// The most messages that wait; 0 for any number.
        max_count: AtomicU64,
        /// The most bytes that wait, but for one message that is larger; 0 for any number.
        max_bytes: AtomicU64,
        closed: AtomicU32,
        /// The CPUs that the last one sent from, and received on. Like all here they seldom change.
        sent_from: AtomicU32,
        received_on: AtomicU32,
        pub(super) senders: Side,
        pub(super) receivers: Side,
        pub(super) tally: Tally,
        /// How many times a slot has become free.
        freed: AtomicU64,
        slots: [Slot; KEPT_SLOTS],
    }

    /// What a queue keeps of the tasks that were taken out of it.
    pub(super) struct Tally {
        /// Rung when a task is done.
        pub(super) bell: Bell,
        consumers: [Consumer; CONSUMERS],
    }

    /// What one process took out of a queue. A process that is new to it goes on with the counts of a dead one that owes nothing.
    pub(super) struct Consumer {
        owner: OwnerCell,
        taken: AtomicU64,
        done: AtomicU64,
    }

    /// What senders, or receivers, share among themselves.
    pub(super) struct Side {
        lock: Lock,
        progress: Progress,
        notes: Notes,
        /// Rung by this side, for the other one.
        pub(super) bell: Bell,
    }

    /// A lock on a cache line of its own.
    pub(super) struct Lock {
        mutex: RobustMutex,
    }

    /// How far a side is. Senders look at their own often and at the receivers' seldom, and so do receivers.
    pub(super) struct Progress {
        /// Up to here records have been sent, or received.
        position: AtomicU64,
        /// How many, and their bytes.
        count: AtomicU64,
        bytes: AtomicU64,
    }

    /// What only the holder of the lock reads and writes.
    pub(super) struct Notes {
        /// What `progress` is going to be; [`NOWHERE`] while that is being written down.
        next_position: AtomicU64,
        next_count: AtomicU64,
        next_bytes: AtomicU64,
        /// Whether the last holder died, and what it left half done is still so.
        unsettled: AtomicU32,
        /// The slot that goes with it, plus one.
        next_slot: AtomicU64,
        /// How far the receivers were when a sender last looked.
        peer_position: AtomicU64,
        peer_count: AtomicU64,
        /// The consumer that goes with it, plus one, and what it will have taken.
        next_consumer: AtomicU64,
        next_taken: AtomicU64,
        /// The number of the last message with objects.
        ticket: AtomicU64,
        /// How many slots have been made, and up to where in the file.
        slots: AtomicU64,
        slabs_end: AtomicU64,
        /// How many times slots had become free when none of them was, plus one; and where to look for the next beyond the header.
        none_free: AtomicU64,
        next_free: AtomicU64,
        /// The highest position of the segment that has been written to.
        reached: AtomicU64,
    }

    pub(super) struct Slot {
        state: AtomicU32,
        owner: OwnerCell,
        offset: AtomicU64,
        capacity: AtomicU64,
        /// How many bytes from its start have memory.
        filled: AtomicU64,
    }
}

/// No position.
const NOWHERE: u64 = u64::MAX;

/// Nobody uses the slot.
const FREE: u32 = 0;
/// A sender fills it.
const FILLING: u32 = 1;
/// A record tells of it, or is about to.
const QUEUED: u32 = 2;
/// A receiver reads it.
const HELD: u32 = 3;

const DATA: u32 = 1;
const IN_SLOT: u32 = 2;
const WRAP: u32 = 3;
const JUMP: u32 = 4;
/// Beside the kind: the message is bytes, and no value.
const AS_BYTES: u32 = 0x80;

/// The limits of a channel.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) count: Option<u64>,
    pub(super) bytes: Option<u64>,
}

/// What a message was sent as, and is received as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    Value,
    Bytes,
}

/// One process's hold of a channel's memory.
#[derive(Debug)]
pub(super) struct Ring {
    object: Object,
    /// The header and the first segment.
    base: Mapping,
    /// The further segments, as far as this process has needed them.
    segments: [OnceLock<Mapping>; SEGMENTS - 1],
    /// The further tables of slots, as far as this process has needed them.
    tables: [OnceLock<Mapping>; FURTHER_TABLES],
    /// The slots that this process has mapped: to read, to write.
    slots: Mutex<Vec<[Option<SlotMapping>; 2]>>,
}

/// A slot, mapped, and where it lay then.
#[derive(Clone, Debug)]
struct SlotMapping {
    offset: u64,
    mapping: Arc<Mapping>,
}

/// What a record tells.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) objects: u32,
    pub(super) ticket: u64,
    pub(super) slot: Option<Content>,
    pub(super) form: Form,
    position_after: u64,
    bytes: u64,
}

/// What a slot holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    slot: u32,
    /// How many bytes, over all.
    length: u64,
    /// How many of them say how long the parts are.
    pub(super) head: u32,
}

/// The memory of a channel does not hold what a channel's does: another process broke it.
pub(super) fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the memory of the channel is damaged")
}

/// The word of a record that leads to the start of the segment.
fn wrap() -> u64 {
    u64::from(WRAP) << 32
}

/// The word of a record that leads to another segment.
fn jump(target: usize) -> u64 {
    u64::from(JUMP) << 32 | target as u64
}

fn pad(length: u64) -> u64 {
    length.next_multiple_of(WORD)
}

/// The segment that a position is in: its number, start and end.
fn segment(position: u64) -> (usize, u64, u64) {
    let index = (position / SEGMENT + 1).ilog2();
    let start = SEGMENT * ((1 << index) - 1);
    (index as usize, start, start + (SEGMENT << index))
}

impl Ring {
    /// Makes the memory of a channel.
    pub(super) fn create(limits: Limits, item: u64) -> io::Result<Self> {
        let object = memory::create(HEADER + SEGMENT)?;
        seal::seal(&object, Seal::Shrinking)?;
        let ring = Self::map(object)?;
        let header = ring.header();
        header.senders.lock.mutex.initialise()?;
        header.receivers.lock.mutex.initialise()?;
        header.max_count.store(limits.count.unwrap_or(0), Ordering::Relaxed);
        header.max_bytes.store(limits.bytes.unwrap_or(0), Ordering::Relaxed);
        header.item.store(item, Ordering::Relaxed);
        header.magic.store(MAGIC, Ordering::Release);
        Ok(ring)
    }

    /// Maps the memory of a channel that another process made.
    pub(super) fn open(object: Object, item: u64) -> io::Result<Self> {
        // What lies beyond the end of the file would be a SIGBUS to touch.
        if memory::length(&object)? < HEADER + SEGMENT || !seal::is_sealed(&object, Seal::Shrinking)? {
            return Err(broken());
        }
        let ring = Self::map(object)?;
        if ring.header().magic.load(Ordering::Acquire) != MAGIC {
            return Err(broken());
        }
        if ring.header().item.load(Ordering::Relaxed) != item {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the channel carries items of another type",
            ));
        }
        Ok(ring)
    }

    fn map(object: Object) -> io::Result<Self> {
        const { assert!(size_of::<Header>() as u64 <= HEADER) };
        let base = Mapping::new(&object, 0, (HEADER + SEGMENT) as usize)?;
        Ok(Self {
            object,
            base,
            segments: Default::default(),
            tables: Default::default(),
            slots: Mutex::default(),
        })
    }

    pub(super) fn object(&self) -> Borrowed<'_> {
        borrow(&self.object)
    }

    pub(super) fn header(&self) -> &Header {
        self.base.at(0)
    }

    /// Where a position is mapped.
    #[inline]
    fn place(&self, position: u64) -> io::Result<(&Mapping, usize)> {
        if position % WORD == 0 && position < SEGMENT {
            return Ok((&self.base, (HEADER + position) as usize));
        }
        self.place_further(position)
    }

    fn place_further(&self, position: u64) -> io::Result<(&Mapping, usize)> {
        if position % WORD != 0 {
            return Err(broken());
        }
        let (index, start, end) = segment(position);
        let cell = self.segments.get(index - 1).ok_or_else(broken)?;
        let mapping = match cell.get() {
            Some(mapping) => mapping,
            None => {
                if memory::length(&self.object)? < HEADER + end {
                    return Err(broken());
                }
                let mapping = Mapping::new(&self.object, HEADER + start, (end - start) as usize)?;
                cell.get_or_init(|| mapping)
            }
        };
        Ok((mapping, (position - start) as usize))
    }

    /// The word at a position.
    fn word(&self, position: u64) -> io::Result<&AtomicU64> {
        let (mapping, offset) = self.place(position)?;
        Ok(mapping.at(offset))
    }

    // --- Both sides ---

    /// How many messages wait.
    pub(super) fn len(&self) -> u64 {
        let header = self.header();
        let received = header.receivers.progress.count.load(Ordering::Acquire);
        header.senders.progress.count.load(Ordering::Acquire).saturating_sub(received)
    }

    /// Whether there is something to receive.
    pub(super) fn has_data(&self) -> bool {
        let position = &self.header().receivers.progress.position;
        let mut at = position.load(Ordering::Acquire);
        loop {
            // Somebody who receives will find out what is wrong with a position that is nowhere.
            let found = self.word(at).map_or(1, |word| word.load(Ordering::Acquire));
            // Another receiver may have gone on, and a sender have written over what was there.
            match position.load(Ordering::Acquire) {
                same if same == at => return found != 0,
                moved => at = moved,
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.header().closed.load(Ordering::Acquire) != 0
    }

    pub(super) fn close(&self) {
        self.header().closed.store(1, Ordering::SeqCst);
    }

    fn cpu_word(&self, which: Which) -> &AtomicU32 {
        match which {
            Which::Senders => &self.header().sent_from,
            Which::Receivers => &self.header().received_on,
        }
    }

    /// The [CPU](cpu::current) that a side ran on when it was last at work.
    pub(super) fn cpu_of(&self, which: Which) -> u32 {
        self.cpu_word(which).load(Ordering::Relaxed)
    }

    /// Says that this side is at work here.
    fn note_cpu(&self, which: Which) {
        let (word, here) = (self.cpu_word(which), cpu::current());
        if word.load(Ordering::Relaxed) != here {
            word.store(here, Ordering::Relaxed);
        }
    }

    pub(super) fn max_count(&self) -> Option<u64> {
        Some(self.header().max_count.load(Ordering::Relaxed)).filter(|count| *count > 0)
    }

    // --- Senders ---

    /// Whether a message of this many bytes can be sent, as far as the limits go. With the senders' lock held: looks at the receivers
    /// only when what it knows of them does not suffice.
    pub(super) fn finds_room(&self, bytes: u64) -> bool {
        let header = self.header();
        let max_count = header.max_count.load(Ordering::Relaxed);
        if max_count == 0 || header.max_bytes.load(Ordering::Relaxed) != 0 {
            return self.has_room(bytes);
        }
        let sent = header.senders.progress.count.load(Ordering::Relaxed);
        let known = &header.senders.notes.peer_count;
        if sent.saturating_sub(known.load(Ordering::Relaxed)) < max_count {
            return true;
        }
        let received = header.receivers.progress.count.load(Ordering::Acquire);
        known.store(received, Ordering::Relaxed);
        sent.saturating_sub(received) < max_count
    }

    /// Whether a message of this many bytes could be sent, as far as the limits go.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let header = self.header();
        let max_count = header.max_count.load(Ordering::Relaxed);
        if max_count > 0 && self.len() >= max_count {
            return false;
        }
        let max_bytes = header.max_bytes.load(Ordering::Relaxed);
        if max_bytes == 0 {
            return true;
        }
        let sent = header.senders.progress.bytes.load(Ordering::Relaxed);
        let waiting = sent.saturating_sub(header.receivers.progress.bytes.load(Ordering::Acquire));
        waiting == 0 || waiting.saturating_add(bytes) <= max_bytes
    }

    /// The number of the next message with objects. With the senders' lock held.
    pub(super) fn next_ticket(&self) -> u64 {
        // Numbers below belong to tokens.
        let ticket = self
            .header()
            .senders
            .notes
            .ticket
            .load(Ordering::Relaxed)
            .max(FIRST_TICKET - 1)
            .saturating_add(1);
        self.header().senders.notes.ticket.store(ticket, Ordering::Relaxed);
        ticket
    }

    /// Writes a record and sends it. With the senders' lock held, and room.
    pub(super) fn push(
        &self,
        bytes: &[u8],
        objects: u32,
        ticket: u64,
        slot: Option<(Content, u64)>,
        form: Form,
    ) -> io::Result<()> {
        self.note_cpu(Which::Senders);
        let Side { progress, notes, .. } = &self.header().senders;
        let mut words = [0; 2];
        let (kind, payload, weight) = match &slot {
            None => (DATA, bytes.len() as u64, 0),
            Some((content, weight)) => {
                words = [u64::from(content.slot) | u64::from(content.head) << 32, content.length];
                (IN_SLOT, 2 * WORD, *weight)
            }
        };
        let ticket_length = if objects > 0 { WORD } else { 0 };
        let length = ticket_length + payload;
        let need = WORD + pad(length);
        let tail = progress.position.load(Ordering::Relaxed);
        self.place(tail)?; // it is somewhere
        let (at, lead) = self.find(tail, need)?;
        let (mapping, start) = self.place(at)?;
        // All that can fail comes first: what is noted down below is going to be so.
        let leading = lead.map(|lead| Ok::<_, io::Error>((self.word(tail)?, lead))).transpose()?;
        let queued = slot.as_ref().map(|(content, _)| self.slot(content.slot)).transpose()?;
        let mut offset = start + WORD as usize;
        if objects > 0 {
            mapping.at::<AtomicU64>(offset).store(ticket, Ordering::Relaxed);
            offset += WORD as usize;
        }
        if slot.is_some() {
            mapping.at::<AtomicU64>(offset).store(words[0], Ordering::Relaxed);
            mapping.at::<AtomicU64>(offset + WORD as usize).store(words[1], Ordering::Relaxed);
        } else {
            mapping.write(offset, bytes);
        }
        mapping.at::<AtomicU64>(start + need as usize).store(0, Ordering::Relaxed);
        notes.note(progress, at + need, need.wrapping_add(weight));
        if let (Some((content, _)), Some(queued)) = (&slot, queued) {
            notes.next_slot.store(u64::from(content.slot) + 1, Ordering::Release);
            queued.state.store(QUEUED, Ordering::Release);
        }
        // Sequentially consistent, since the bell looks next who naps.
        let kind = if form == Form::Bytes { kind | AS_BYTES } else { kind };
        let word = length | u64::from(kind) << 32 | u64::from(objects) << 40;
        match leading {
            None => mapping.at::<AtomicU64>(start).store(word, Ordering::SeqCst),
            Some((tail, lead)) => {
                mapping.at::<AtomicU64>(start).store(word, Ordering::Relaxed);
                tail.store(lead, Ordering::SeqCst);
            }
        }
        notes.next_slot.store(0, Ordering::Release);
        progress.advance(notes, Ordering::Release);
        Ok(())
    }

    /// Where a record of this length goes, and the record at the tail that leads there, if it is elsewhere.
    fn find(&self, tail: u64, need: u64) -> io::Result<(u64, Option<u64>)> {
        let notes = &self.header().senders.notes;
        let mut head = notes.peer_position.load(Ordering::Relaxed);
        if tail / PAGE != (tail + need) / PAGE {
            // Once a page: a ring that has got empty meanwhile begins anew.
            head = self.look_for_receivers();
        }
        if let Some(place) = self.find_with(tail, head, need) {
            return Ok(place);
        }
        head = self.look_for_receivers();
        if let Some(place) = self.find_with(tail, head, need) {
            return Ok(place);
        }
        // The segment is full: on to the next. The receivers may not have left that one yet, when the ring has come back from it.
        let (index, _, end) = segment(tail);
        let (left, _, after) = segment(head);
        let next = if left == index + 1 { after } else { end };
        let (target, start, end) = segment(next);
        if target >= SEGMENTS {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "the channel holds more than it can"));
        }
        if memory::length(&self.object)? < HEADER + end {
            memory::set_length(&self.object, HEADER + end)?;
        }
        notes.reached.store(start, Ordering::Relaxed);
        Ok((start, Some(jump(target))))
    }

    /// How far the receivers are.
    fn look_for_receivers(&self) -> u64 {
        let header = self.header();
        let head = header.receivers.progress.position.load(Ordering::Acquire);
        header.senders.notes.peer_position.store(head, Ordering::Relaxed);
        head
    }

    /// Where a record goes in the segment, given how far the receivers are. Behind each record there is room for one more word.
    fn find_with(&self, tail: u64, head: u64, need: u64) -> Option<(u64, Option<u64>)> {
        let notes = &self.header().senders.notes;
        let (index, start, end) = segment(tail);
        let same = (start..end).contains(&head);
        if same && head > tail {
            return (tail + need + WORD <= head).then_some((tail, None));
        }
        let at_start = same && start + need + WORD <= head;
        if at_start && head == tail && tail - start >= RESTART {
            let reached = notes.reached.load(Ordering::Relaxed).max(tail + WORD).min(end);
            if index > 0 && reached - start <= (end - start) / 4 {
                // Less was enough, and the segment before this one is empty: the receivers are here.
                let (_, before, _) = segment(start - WORD);
                notes.reached.store(before, Ordering::Relaxed);
                return Some((before, Some(jump(index - 1))));
            }
            if reached - start > 16 * RESTART {
                // A burst is over. The receivers are at the tail, and everything around it is nobody's.
                let warm = start + 2 * RESTART;
                let _memory_stays_in_use = memory::release(&self.object, HEADER + warm, reached - warm);
                notes.reached.store(start, Ordering::Relaxed);
            }
            return Some((start, Some(wrap())));
        }
        if tail + need + WORD <= end {
            if notes.reached.load(Ordering::Relaxed) < tail + need {
                notes.reached.store(tail + need, Ordering::Relaxed);
            }
            return Some((tail, None));
        }
        at_start.then_some((start, Some(wrap())))
    }

    // --- Receivers ---

    /// Reads the next record, if there is one; what is in line is appended to `into`. With the receivers' lock held.
    pub(super) fn front(&self, into: &mut Vec<u8>, record: &mut Record) -> io::Result<bool> {
        let mut position = self.header().receivers.progress.position.load(Ordering::Relaxed);
        let mut leads = 0;
        loop {
            let (index, start, end) = segment(position);
            let (mapping, offset) = self.place(position)?;
            let word = mapping.at::<AtomicU64>(offset).load(Ordering::Acquire);
            if word == 0 && leads == 0 {
                return Ok(false);
            }
            let length = word & 0xFFFF_FFFF;
            let kind = (word >> 32) as u32 & 0xFF;
            match kind & !AS_BYTES {
                WRAP if position != start => position = start,
                JUMP if length != index as u64 && length < SEGMENTS as u64 => {
                    position = SEGMENT * ((1 << length) - 1);
                }
                DATA | IN_SLOT => {
                    let after = position + WORD + pad(length);
                    if after > end {
                        return Err(broken());
                    }
                    let objects = (word >> 40) as u32 & 0xFFFF;
                    let mut offset = offset + WORD as usize;
                    let mut left = length as usize;
                    record.objects = objects;
                    record.position_after = after;
                    record.slot = None;
                    record.form = if kind & AS_BYTES == 0 { Form::Value } else { Form::Bytes };
                    record.bytes = WORD + pad(length);
                    if objects > 0 {
                        left = left.checked_sub(WORD as usize).ok_or_else(broken)?;
                        record.ticket = mapping.at::<AtomicU64>(offset).load(Ordering::Relaxed);
                        offset += WORD as usize;
                    }
                    if kind & !AS_BYTES == DATA {
                        mapping.read(offset, left, into);
                    } else {
                        if left != 2 * WORD as usize {
                            return Err(broken());
                        }
                        let which = mapping.at::<AtomicU64>(offset).load(Ordering::Relaxed);
                        let length = mapping.at::<AtomicU64>(offset + WORD as usize).load(Ordering::Relaxed);
                        let content = Content { slot: which as u32, length, head: (which >> 32) as u32 };
                        let weight = self.slot(content.slot)?.capacity.load(Ordering::Relaxed);
                        record.bytes = record.bytes.wrapping_add(weight);
                        record.slot = Some(content);
                    }
                    return Ok(true);
                }
                _ => return Err(broken()),
            }
            leads += 1;
            if leads > 2 {
                return Err(broken());
            }
        }
    }

    /// Receives the record that [`front`](Self::front) read: it is the caller's from here on. With the receivers' lock held.
    pub(super) fn pop(&self, record: &Record, consumer: Option<usize>) -> io::Result<()> {
        self.note_cpu(Which::Receivers);
        let Side { progress, notes, .. } = &self.header().receivers;
        let slot =
            record.slot.map(|content| Ok::<_, io::Error>((content, self.slot(content.slot)?))).transpose()?;
        let position = progress.position.load(Ordering::Relaxed);
        if segment(record.position_after).0 != segment(position).0 {
            self.leave(position);
        }
        notes.note(progress, record.position_after, record.bytes);
        if let Some(consumer) = consumer {
            let taken = self.header().tally.consumers[consumer].taken.load(Ordering::Relaxed).wrapping_add(1);
            notes.next_taken.store(taken, Ordering::Release);
            notes.next_consumer.store(consumer as u64 + 1, Ordering::Release);
        }
        if let Some((content, slot)) = slot {
            notes.next_slot.store(u64::from(content.slot) + 1, Ordering::Release);
            slot.owner.set(Owner::me());
            slot.state.store(HELD, Ordering::Release);
        }
        // Sequentially consistent, since the bell looks next who naps.
        progress.advance(notes, Ordering::SeqCst);
        notes.next_slot.store(0, Ordering::Release);
        if consumer.is_some() {
            self.settle_consumer(true);
        }
        Ok(())
    }

    /// Gives the memory of a segment back that is about to be left: senders, who may come again, come only after that. What lies around the position
    /// stays: it leads on, and who is killed here has received nothing yet.
    fn leave(&self, position: u64) {
        let (_, start, end) = segment(position);
        let here = position - position % PAGE;
        for (from, to) in [(start, here), (here + PAGE, end)] {
            if from < to {
                let _memory_stays_in_use = memory::release(&self.object, HEADER + from, to - from);
            }
        }
    }

    // --- Slots ---

    /// A table of slots: that of the header, or a further one.
    fn table(&self, table: usize) -> io::Result<&[Slot]> {
        let Some(further) = table.checked_sub(1) else { return Ok(&self.header().slots) };
        let cell = self.tables.get(further).ok_or_else(broken)?;
        // As many as there are before.
        let count = KEPT_SLOTS << further;
        let mapping = match cell.get() {
            Some(mapping) => mapping,
            None => {
                let length = count * size_of::<Slot>();
                let start = TABLES + length as u64;
                // Slots lie behind, so whoever has made some has made the file as long.
                if memory::length(&self.object)? < start + length as u64 {
                    return Err(broken());
                }
                let mapping = Mapping::new(&self.object, start, length)?;
                cell.get_or_init(|| mapping)
            }
        };
        Ok(mapping.slice(0, count))
    }

    fn slot(&self, index: u32) -> io::Result<&Slot> {
        let (table, within) = place_in_tables(index as usize);
        self.table(table)?.get(within).ok_or_else(broken)
    }

    /// The first slots.
    fn first_slots(&self, count: usize) -> io::Result<Slots<'_>> {
        let mut slots = Slots([&[]; 1 + FURTHER_TABLES]);
        for table in 0..=place_in_tables(count.saturating_sub(1)).0 {
            slots.0[table] = self.table(table)?;
        }
        Ok(slots)
    }

    /// Says that nobody uses a slot any more.
    fn set_free(&self, slot: &Slot) {
        slot.state.store(FREE, Ordering::Release);
        self.header().freed.fetch_add(1, Ordering::Release);
    }

    /// Takes a slot for this many bytes: it is this process's to fill. `None` while there is none. With the senders' lock held.
    pub(super) fn take_slot(&self, length: u64) -> io::Result<Option<u32>> {
        let made = &self.header().senders.notes.slots;
        let count = (made.load(Ordering::Relaxed) as usize).min(SLOTS);
        let slots = self.first_slots(count)?;
        let find = || self.find_slot(&slots, count, length);
        // Each time that they have become twice as many, those of the dead are taken back before there are more.
        let found = find().or_else(|| (count.is_power_of_two() && self.collect()).then(find).flatten());
        let index = match found {
            Some(index) => index,
            None if count < SLOTS => count,
            None => return Ok(None),
        };
        let slot = self.slot(index as u32)?;
        if found.is_none() || !slot.fits(length) {
            self.make_slot(slot, length)?;
        }
        if found.is_none() {
            made.store(count as u64 + 1, Ordering::Release);
        }
        slot.owner.set(Owner::me());
        slot.state.store(FILLING, Ordering::Release);
        Ok(Some(index as u32))
    }

    /// A free slot out of so many: one of this length as long as more can be made that are kept, else one of any.
    fn find_slot(&self, slots: &Slots<'_>, count: usize, length: u64) -> Option<usize> {
        let is_free = |index: &usize| slots.get(*index).state.load(Ordering::Acquire) == FREE;
        let fits = |index: &usize| slots.get(*index).fits(length);
        let kept = 0..count.min(KEPT_SLOTS);
        if count < KEPT_SLOTS {
            return kept.clone().find(|index| is_free(index) && fits(index));
        }
        // While thousands wait, that none is free is known without a look at all of them.
        let notes = &self.header().senders.notes;
        let freed = self.header().freed.load(Ordering::Acquire).wrapping_add(1);
        if notes.none_free.load(Ordering::Relaxed) == freed {
            return None;
        }
        let found = kept.clone().find(|index| is_free(index) && fits(index)).or_else(|| {
            let next = (notes.next_free.load(Ordering::Relaxed) as usize).clamp(KEPT_SLOTS, count);
            kept.chain(next..count).chain(KEPT_SLOTS..next).find(is_free)
        });
        match found {
            None => notes.none_free.store(freed, Ordering::Relaxed),
            Some(index) if index >= KEPT_SLOTS => notes.next_free.store(index as u64 + 1, Ordering::Relaxed),
            Some(_) => {}
        }
        found
    }

    /// Makes a slot that nobody uses one for this many bytes, at the end of the file. With the senders' lock held.
    fn make_slot(&self, slot: &Slot, length: u64) -> io::Result<()> {
        let end = &self.header().senders.notes.slabs_end;
        let offset = end.load(Ordering::Relaxed).max(SLABS);
        // An eighth more than asked for at most: messages of about one size share their slots.
        let step = (length.next_power_of_two() / 8).max(SMALLEST_SLOT);
        let capacity = length.next_multiple_of(step);
        let new_end = offset.checked_add(capacity).ok_or_else(broken)?;
        memory::set_length(&self.object, new_end)?;
        end.store(new_end, Ordering::Release);
        let before = slot.capacity.load(Ordering::Relaxed);
        if before > 0 {
            let _memory_stays_in_use =
                memory::release(&self.object, slot.offset.load(Ordering::Relaxed), before);
        }
        // Who is killed in between leaves a slot that is too small for anything, and that can be made anew.
        slot.capacity.store(0, Ordering::Release);
        slot.filled.store(0, Ordering::Release);
        slot.offset.store(offset, Ordering::Release);
        slot.state.store(FREE, Ordering::Release);
        slot.capacity.store(capacity, Ordering::Release);
        Ok(())
    }

    /// Fills a slot with parts, one after the other: what the record has to tell, and what it weighs.
    pub(super) fn fill(&self, index: u32, parts: &[&[u8]], head: u32) -> io::Result<(Content, u64)> {
        let slot = self.slot(index)?;
        let (offset, capacity) = (slot.offset.load(Ordering::Relaxed), slot.capacity.load(Ordering::Relaxed));
        let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
        if offset < SLABS || capacity < length {
            return Err(broken());
        }
        if slot.filled.load(Ordering::Relaxed) >= length {
            let mapping = self.slot_mapping(index, true, length)?;
            if (mapping.len() as u64) < length {
                return Err(broken());
            }
            let mut at = 0;
            for part in parts {
                mapping.write(at, part);
                at += part.len();
            }
        } else {
            let mut at = offset;
            for part in parts {
                memory::write_at(&self.object, part, at)?;
                at += part.len() as u64;
            }
            slot.filled.store(length, Ordering::Relaxed);
        }
        Ok((Content { slot: index, length, head }, capacity))
    }

    fn slot_mapping(&self, index: u32, to_write: bool, length: u64) -> io::Result<Arc<Mapping>> {
        let slot = self.slot(index)?;
        let is_kept = (index as usize) < KEPT_SLOTS;
        let mut mapped = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if is_kept && mapped.len() <= index as usize {
            mapped.resize_with(index as usize + 1, Default::default);
        }
        let nothing = &mut None;
        let cell = mapped.get_mut(index as usize).map_or(nothing, |cells| &mut cells[usize::from(to_write)]);
        let (offset, capacity) = (slot.offset.load(Ordering::Relaxed), slot.capacity.load(Ordering::Relaxed));
        match cell {
            Some(mapped) if mapped.offset == offset && mapped.mapping.len() as u64 == capacity => {
                return Ok(Arc::clone(&mapped.mapping));
            }
            _ => *cell = None, // it was made anew since
        }
        // What lies beyond the file would be a SIGBUS to touch.
        let end = offset.checked_add(capacity).filter(|_| offset >= SLABS).ok_or_else(broken)?;
        if memory::length(&self.object)? < end {
            return Err(broken());
        }
        let map = if to_write { Mapping::new } else { Mapping::view };
        let mapping = map(&self.object, offset, usize::try_from(capacity).map_err(|_| broken())?)?;
        let purpose = if to_write { Populate::ToWrite } else { Populate::ToRead };
        // Kernels before 5.14 do it page by page, when they are touched.
        let _only_slower = mapping.populate(0, (length as usize).min(mapping.len()), purpose);
        let mapping = Arc::new(mapping);
        if is_kept && capacity <= LARGEST_KEPT_SLOT {
            *cell = Some(SlotMapping { offset, mapping: Arc::clone(&mapping) });
        }
        Ok(mapping)
    }

    /// What lies in a slot that this process has received. It is free again when that is dropped.
    pub(super) fn content(self: &Arc<Self>, content: Content) -> io::Result<bytes::Bytes> {
        let mut reading = Reading { ring: Arc::clone(self), index: content.slot, mapping: None, length: 0 };
        let mapping = match self.slot_mapping(content.slot, false, content.length) {
            // The system allows a process only so many mappings: what is beyond them is copied.
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                return Ok(self.copy_of(content)?.into());
            }
            mapping => mapping?,
        };
        reading.length = usize::try_from(content.length).map_err(|_| broken())?;
        if reading.length > mapping.len() {
            return Err(broken());
        }
        reading.mapping = Some(mapping);
        Ok(bytes::Bytes::from_owner(reading))
    }

    fn copy_of(&self, content: Content) -> io::Result<Vec<u8>> {
        let slot = self.slot(content.slot)?;
        let (offset, capacity) = (slot.offset.load(Ordering::Relaxed), slot.capacity.load(Ordering::Relaxed));
        if offset < SLABS || content.length > capacity {
            return Err(broken());
        }
        memory::read_at(&self.object, usize::try_from(content.length).map_err(|_| broken())?, offset)
    }

    /// How long the first part of a slot's content is, which its head tells. With the receivers' lock held.
    pub(super) fn length_within(self: &Arc<Self>, content: Content) -> io::Result<usize> {
        let mapping = self.slot_mapping(content.slot, false, content.length)?;
        let head = (content.head as usize).min(mapping.len());
        let lengths: Vec<usize> = Wire::decode(mapping.bytes(0, head)).map_err(|_| broken())?;
        lengths.first().copied().ok_or_else(broken)
    }

    /// Frees a slot that this process fills or reads.
    pub(super) fn free(&self, index: u32) {
        let Ok(slot) = self.slot(index) else { return };
        let capacity = slot.capacity.load(Ordering::Relaxed);
        if capacity > LARGEST_KEPT_SLOT || index as usize >= KEPT_SLOTS {
            slot.filled.store(0, Ordering::Relaxed);
            let _memory_stays_in_use =
                memory::release(&self.object, slot.offset.load(Ordering::Relaxed), capacity);
        }
        self.set_free(slot);
        self.header().receivers.bell.ring();
    }

    /// Frees the slots whose owners are dead: whether there were any. With the senders' lock held, so that none that is found so has
    /// been freed and taken by another meanwhile.
    fn collect(&self) -> bool {
        // A receiver that died may have taken hold of a slot and not received the record yet: that is settled with its lock, and as
        // long as another has that, what is held stays so.
        let receivers = self.try_lock(Which::Receivers).ok().flatten();
        let count = (self.header().senders.notes.slots.load(Ordering::Acquire) as usize).min(SLOTS);
        let Ok(slots) = self.first_slots(count) else { return false };
        let mut known: Vec<(Owner, bool)> = Vec::new();
        let mut freed = false;
        for slot in (0..count).map(|index| slots.get(index)) {
            let state = slot.state.load(Ordering::Acquire);
            if state != FILLING && (state != HELD || receivers.is_none()) {
                continue;
            }
            let owner = slot.owner.get();
            let dead = known.iter().find(|(known, _)| *known == owner).map(|(_, dead)| *dead);
            let dead = dead.unwrap_or_else(|| {
                known.push((owner, owner.is_dead()));
                known[known.len() - 1].1
            });
            // A sender that is alive may have gone on with what it fills.
            freed |=
                dead && slot.state.compare_exchange(state, FREE, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        }
        if freed {
            self.header().freed.fetch_add(1, Ordering::Release);
        }
        freed
    }
}

/// The tables of slots, as far as there are slots.
struct Slots<'a>([&'a [Slot]; 1 + FURTHER_TABLES]);

impl<'a> Slots<'a> {
    fn get(&self, index: usize) -> &'a Slot {
        let (table, within) = place_in_tables(index);
        &self.0[table][within]
    }
}

/// In which table a slot is, and where.
fn place_in_tables(index: usize) -> (usize, usize) {
    match (index / KEPT_SLOTS).checked_ilog2() {
        None => (0, index),
        Some(further) => (1 + further as usize, index - (KEPT_SLOTS << further)),
    }
}

impl Slot {
    /// Whether so many bytes go into it, and not too few.
    fn fits(&self, length: u64) -> bool {
        let capacity = self.capacity.load(Ordering::Relaxed);
        capacity >= length && capacity / 4 <= length.max(SMALLEST_SLOT)
    }
}

/// The first ticket; lower numbers in the socket are tokens.
pub(super) const FIRST_TICKET: u64 = 16;

impl Content {
    /// How many bytes it has.
    pub(super) fn length(self) -> u64 {
        self.length
    }

    pub(super) fn slot(self) -> u32 {
        self.slot
    }
}

/// Which side of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Senders,
    Receivers,
}

impl Which {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Senders => Self::Receivers,
            Self::Receivers => Self::Senders,
        }
    }
}

impl Ring {
    pub(super) fn side(&self, which: Which) -> &Side {
        match which {
            Which::Senders => &self.header().senders,
            Which::Receivers => &self.header().receivers,
        }
    }

    /// Locks a side: `None` when the deadline has passed. What the last holder left half done is completed.
    pub(super) fn lock(&self, which: Which, deadline: Option<Instant>) -> io::Result<Option<Held<'_>>> {
        let held = self.side(which).lock.mutex.lock(deadline)?;
        self.settle(which, held)
    }

    /// Locks a side if nobody holds it.
    pub(super) fn try_lock(&self, which: Which) -> io::Result<Option<Held<'_>>> {
        let held = self.side(which).lock.mutex.try_lock()?;
        self.settle(which, held)
    }

    fn settle<'a>(&self, which: Which, held: Option<Held<'a>>) -> io::Result<Option<Held<'a>>> {
        let Some(held) = held else { return Ok(None) };
        let unsettled = &self.side(which).notes.unsettled;
        if held.locked == Locked::Inherited {
            unsettled.store(1, Ordering::Release);
        }
        // Who could not settle it for want of memory leaves it to the next.
        if unsettled.load(Ordering::Relaxed) != 0 {
            match which {
                Which::Senders => self.settle_senders()?,
                Which::Receivers => self.settle_receivers(),
            }
            unsettled.store(0, Ordering::Release);
        }
        Ok(Some(held))
    }

    /// Completes what a sender left half done that died.
    fn settle_senders(&self) -> io::Result<()> {
        let Side { progress, notes, .. } = &self.header().senders;
        let position = progress.position.load(Ordering::Relaxed);
        let is_there = self.word(position)?.load(Ordering::Acquire) != 0;
        // A record that leads to the next segment is gone as soon as a receiver has followed it and given the memory back.
        let head = self.header().receivers.progress.position.load(Ordering::Acquire);
        if is_there || segment(head).0 > segment(position).0 {
            // It was sent.
            notes.next_slot.store(0, Ordering::Release);
            progress.advance(notes, Ordering::Release);
        } else if position == notes.next_position.load(Ordering::Relaxed) {
            progress.advance(notes, Ordering::Release);
        } else if let Some(index) = notes.next_slot.load(Ordering::Relaxed).checked_sub(1) {
            // It was to be sent, and was not.
            self.set_free(self.slot(index as u32)?);
            notes.next_slot.store(0, Ordering::Release);
        }
        Ok(())
    }

    /// Completes what a receiver left half done that died.
    fn settle_receivers(&self) {
        let Side { progress, notes, .. } = &self.header().receivers;
        let received =
            progress.position.load(Ordering::Relaxed) == notes.next_position.load(Ordering::Relaxed);
        if received {
            progress.advance(notes, Ordering::Release);
        } else if let Some(index) = notes.next_slot.load(Ordering::Relaxed).checked_sub(1) {
            // It had taken hold of the slot, and the record is there still.
            if let Ok(slot) = self.slot(index as u32) {
                slot.state.store(QUEUED, Ordering::Release);
            }
        }
        notes.next_slot.store(0, Ordering::Release);
        self.settle_consumer(received);
    }

    /// Puts a task to the account of who takes it, if it was received. With the receivers' lock held.
    fn settle_consumer(&self, received: bool) {
        let notes = &self.header().receivers.notes;
        let consumer = notes.next_consumer.load(Ordering::Acquire).checked_sub(1);
        let consumers = &self.header().tally.consumers;
        if let (true, Some(consumer)) = (received, consumer.and_then(|index| consumers.get(index as usize))) {
            consumer.taken.store(notes.next_taken.load(Ordering::Relaxed), Ordering::Release);
        }
        notes.next_consumer.store(0, Ordering::Release);
    }

    // --- Queues ---

    /// The account of this process. With the receivers' lock held. `None` when there are too many.
    pub(super) fn consumer(&self) -> Option<usize> {
        let me = Owner::me();
        let consumers = &self.header().tally.consumers;
        let nobody = |owner: Owner| owner.pid == 0;
        if let Some(mine) = consumers.iter().position(|consumer| consumer.owner.get() == me) {
            return Some(mine);
        }
        let settled = |consumer: &Consumer| {
            let owner = consumer.owner.get();
            nobody(owner) || (consumer.owes() == 0 && owner.is_dead())
        };
        let free = consumers.iter().position(settled)?;
        consumers[free].owner.set(me);
        Some(free)
    }

    /// Says that one task of this process is done: whether there was one to do.
    pub(super) fn finish_one(&self) -> bool {
        let me = Owner::me();
        let mine = self.header().tally.consumers.iter().find(|consumer| consumer.owner.get() == me);
        let finished = mine.is_some_and(|consumer| {
            // A damaged count is not to be counted beyond its end.
            let next = |done: u64| {
                done.checked_add(1).filter(|next| *next <= consumer.taken.load(Ordering::Acquire))
            };
            consumer.done.fetch_update(Ordering::SeqCst, Ordering::Acquire, next).is_ok()
        });
        if finished {
            self.header().tally.bell.ring_for_all();
        }
        finished
    }

    /// How many tasks are not done yet: waiting, or taken.
    pub(super) fn unfinished(&self) -> u64 {
        let consumers = self.header().tally.consumers.iter();
        let done = consumers.fold(0, |sum: u64, one| sum.wrapping_add(one.done.load(Ordering::SeqCst)));
        self.header().senders.progress.count.load(Ordering::SeqCst).saturating_sub(done)
    }

    /// Strikes out the tasks that a dead process had taken and will never do: which process, and how many they were.
    pub(super) fn strike_out_lost(&self) -> Option<(u32, u64)> {
        self.header().tally.consumers.iter().find_map(|consumer| {
            let owed = consumer.owes();
            let owner = consumer.owner.get();
            if owed == 0 || !owner.is_dead() {
                return None;
            }
            let taken = consumer.taken.load(Ordering::Acquire);
            let struck =
                consumer.done.compare_exchange(taken - owed, taken, Ordering::SeqCst, Ordering::Relaxed);
            struck.is_ok().then_some((owner.pid, owed))
        })
    }
}

impl Consumer {
    /// How many tasks it has taken and not done.
    fn owes(&self) -> u64 {
        let done = self.done.load(Ordering::Acquire);
        self.taken.load(Ordering::Acquire).saturating_sub(done)
    }
}

impl Notes {
    /// Notes down what the progress is going to be. Each of these is a release, so that they happen in this order for
    /// whoever inherits the lock.
    fn note(&self, progress: &Progress, position: u64, bytes: u64) {
        self.next_position.store(NOWHERE, Ordering::Release);
        self.next_count.store(progress.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        self.next_bytes.store(progress.bytes.load(Ordering::Relaxed).wrapping_add(bytes), Ordering::Release);
        self.next_position.store(position, Ordering::Release);
    }
}

impl Progress {
    /// Makes the progress what was noted down.
    fn advance(&self, notes: &Notes, order: Ordering) {
        self.position.store(notes.next_position.load(Ordering::Relaxed), order);
        self.count.store(notes.next_count.load(Ordering::Relaxed), Ordering::Release);
        self.bytes.store(notes.next_bytes.load(Ordering::Relaxed), Ordering::Release);
    }
}

/// A slot that is being read.
#[derive(Debug)]
struct Reading {
    ring: Arc<Ring>,
    index: u32,
    mapping: Option<Arc<Mapping>>,
    length: usize,
}

impl AsRef<[u8]> for Reading {
    fn as_ref(&self) -> &[u8] {
        self.mapping.as_ref().map_or(&[], |mapping| mapping.bytes(0, self.length))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.ring.free(self.index);
    }
}

#[cfg(any(test, fuzzing))]
impl Ring {
    /// Puts a word into the header or the first segment, but not into a lock: that is the C library's, which trusts it.
    pub(super) fn damage(&self, index: usize, word: u64) {
        let at = index * WORD as usize;
        let sides = [Which::Senders, Which::Receivers].map(|which| self.side(which));
        let base = std::ptr::from_ref(self.header()).addr();
        let is_lock = |side: &Side| {
            let lock = std::ptr::from_ref(&side.lock).addr() - base;
            (lock..lock + size_of::<Lock>()).contains(&at)
        };
        if !sides.into_iter().any(is_lock) {
            self.base.at::<AtomicU64>(at).store(word, Ordering::SeqCst);
        }
    }
}
