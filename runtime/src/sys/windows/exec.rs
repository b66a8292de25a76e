//! Starts this same program afresh: `CreateProcessW` of `current_exe()` with `PROC_THREAD_ATTRIBUTE_HANDLE_LIST`, so that only what is named is
//! inherited, and `PROC_THREAD_ATTRIBUTE_JOB_LIST`, so that the process is in its parent's Job before it runs.
//!
//! What is to be inherited must be inheritable meanwhile: the standard streams are duplicates for this one call, the boot handle is marked during it. A
//! `std::process::Command` that another thread starts in that moment inherits them too, as it inherits all that is marked; the death of a child
//! is seen by its process handle all the same.

use std::ffi::{OsStr, OsString, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_NAME_NORMALIZED, GetFinalPathNameByHandleW};
use windows_sys::Win32::System::Console::GetConsoleCP;
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, CREATE_UNICODE_ENVIRONMENT,
    CreateProcessW, DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT, GetCurrentProcess,
    InitializeProcThreadAttributeList, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROC_THREAD_ATTRIBUTE_JOB_LIST,
    PROCESS_INFORMATION, STARTF_USESTDHANDLES, STARTUPINFOEXW, UpdateProcThreadAttribute,
};

use super::process::Handle;
use super::{Borrowed, Object, ambient, lifeline};

/// Which process group the new process belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// That of its parent.
    Inherit,
    /// One of its own.
    Own,
    /// One of its own, outside of its parent's Job, with a console of its own that nobody sees.
    Session,
}

/// What the new process is given.
#[derive(Debug)]
pub(crate) struct Exec<'a> {
    /// The arguments, with the name of the program first.
    pub(crate) arguments: &'a [OsString],
    /// The whole environment.
    pub(crate) environment: &'a [(OsString, OsString)],
    /// Standard input, output and error; `None` leaves the parent's.
    pub(crate) standard: [Option<Borrowed<'a>>; 3],
    /// The one further object that the new process gets.
    pub(crate) boot: &'a Object,
    /// The directory to begin in; `None` leaves the parent's.
    pub(crate) directory: Option<Borrowed<'a>>,
    pub(crate) group: Group,
}

/// How long a command line may be, with the zero at its end (`CreateProcessW`). Wine cuts a longer one.
const MAX_COMMAND_LINE: usize = 32_767;

/// Makes the process. It has executed the new program, or this is an error.
pub(crate) fn start(exec: &Exec<'_>) -> io::Result<Handle> {
    let program = wide(std::env::current_exe()?.as_os_str())?;
    let mut line = command_line(exec.arguments)?;
    let environment = environment_block(exec.environment)?;
    let directory = exec.directory.map(path_of).transpose()?;
    let streams = [0, 1, 2].map(|number| exec.standard[number].or_else(|| ambient::standard(number)));
    let streams = duplicates(streams)?;
    let boot = exec.boot.as_raw_handle();
    let mut inherited: Vec<HANDLE> =
        streams.iter().flatten().map(AsRawHandle::as_raw_handle).chain([boot]).collect();
    let mut jobs: Vec<HANDLE> = Vec::new();
    if exec.group != Group::Session {
        jobs.push(lifeline::job()?.as_raw_handle());
    }
    let mut attributes = Attributes::new()?;
    attributes.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &mut inherited)?;
    if !jobs.is_empty() {
        attributes.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, &mut jobs)?;
    }

    // SAFETY: all zeros is a valid value of numbers and pointers.
    let mut startup: STARTUPINFOEXW = unsafe { MaybeUninit::zeroed().assume_init() };
    startup.StartupInfo.cb = u32::try_from(size_of::<STARTUPINFOEXW>()).map_err(io::Error::other)?;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    let [input, output, error] =
        streams.each_ref().map(|stream| stream.as_ref().map_or(ptr::null_mut(), AsRawHandle::as_raw_handle));
    startup.StartupInfo.hStdInput = input;
    startup.StartupInfo.hStdOutput = output;
    startup.StartupInfo.hStdError = error;
    startup.lpAttributeList = attributes.list.as_mut_ptr().cast();

    let mut made = MaybeUninit::<PROCESS_INFORMATION>::zeroed();
    inheritable(exec.boot, true)?;
    // SAFETY: strings that end in zero (the environment in two), the line in memory of ours that may be written to, and structures of the sizes that
    // they name; what they point to outlives the call.
    let done = unsafe {
        CreateProcessW(
            program.as_ptr(),
            line.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            1,
            flags(exec.group),
            environment.as_ptr().cast(),
            directory.as_ref().map_or(ptr::null(), Vec::as_ptr),
            (&raw const startup).cast(),
            made.as_mut_ptr(),
        )
    };
    let error = io::Error::last_os_error();
    inheritable(exec.boot, false)?;
    if done == 0 {
        return Err(error);
    }
    // SAFETY: filled by the call.
    let made = unsafe { made.assume_init() };
    // SAFETY: the call made it for us.
    drop(unsafe { OwnedHandle::from_raw_handle(made.hThread) });
    // SAFETY: as above.
    Ok(Handle::new(made.dwProcessId, unsafe { OwnedHandle::from_raw_handle(made.hProcess) }))
}

/// How the process is made, besides what it is given.
fn flags(group: Group) -> u32 {
    // SAFETY: a call without preconditions; it fails where there is no console.
    let no_console = unsafe { GetConsoleCP() } == 0;
    // A program without a console would have a window opened for a child that has one.
    let window = if no_console { CREATE_NO_WINDOW } else { 0 };
    let kind = match group {
        Group::Inherit => 0,
        Group::Own => CREATE_NEW_PROCESS_GROUP,
        Group::Session => {
            let free = if lifeline::may_break_away() { CREATE_BREAKAWAY_FROM_JOB } else { 0 };
            CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW | free
        }
    };
    CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT | window | kind
}

/// Says whether processes inherit a handle that is in their list.
pub(super) fn inheritable(object: &Object, inheritable: bool) -> io::Result<()> {
    let flag = if inheritable { HANDLE_FLAG_INHERIT } else { 0 };
    // SAFETY: the handle is open; the call takes numbers.
    match unsafe { SetHandleInformation(object.as_raw_handle(), HANDLE_FLAG_INHERIT, flag) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Duplicates that are inherited. What cannot be duplicated was closed, as a standard stream may be.
fn duplicates(streams: [Option<Borrowed<'_>>; 3]) -> io::Result<[Option<OwnedHandle>; 3]> {
    let mut duplicates = [None, None, None];
    for (place, stream) in duplicates.iter_mut().zip(streams) {
        let Some(stream) = stream else { continue };
        // SAFETY: a call without preconditions.
        let me = unsafe { GetCurrentProcess() };
        let mut duplicate: HANDLE = ptr::null_mut();
        let raw = stream.as_raw_handle();
        // SAFETY: a handle of this process, and a place of ours.
        let done = unsafe { DuplicateHandle(me, raw, me, &raw mut duplicate, 0, 1, DUPLICATE_SAME_ACCESS) };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call made it for us.
        *place = Some(unsafe { OwnedHandle::from_raw_handle(duplicate) });
    }
    Ok(duplicates)
}

/// A list of attributes for one process, which points to what it was given.
struct Attributes {
    list: Vec<u128>,
}

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: without a list, the call only says how large one is.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), 2, 0, &raw mut size) };
        let mut list = vec![0_u128; size.div_ceil(size_of::<u128>())];
        // SAFETY: the list is as large as was said.
        match unsafe { InitializeProcThreadAttributeList(list.as_mut_ptr().cast(), 2, 0, &raw mut size) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(Self { list }),
        }
    }

    /// The handles must stay where they are for as long as the list is used.
    fn set(&mut self, attribute: u32, handles: &mut [HANDLE]) -> io::Result<()> {
        // SAFETY: the list is initialised, and the callers keep the handles for as long as the list.
        let done = unsafe {
            UpdateProcThreadAttribute(
                self.list.as_mut_ptr().cast(),
                0,
                attribute as usize,
                handles.as_mut_ptr().cast::<c_void>(),
                size_of_val(handles),
                ptr::null_mut(),
                ptr::null(),
            )
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the list was initialised, and is not used again.
        unsafe { DeleteProcThreadAttributeList(self.list.as_mut_ptr().cast()) };
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// The text as the system has it, with a zero at its end.
fn wide(text: &OsStr) -> io::Result<Vec<u16>> {
    let mut units: Vec<u16> = text.encode_wide().collect();
    if units.contains(&0) {
        return Err(invalid("a text for the system holds a zero"));
    }
    units.push(0);
    Ok(units)
}

const QUOTE: u16 = b'"' as u16;
const BACKSLASH: u16 = b'\\' as u16;
const SPACE: u16 = b' ' as u16;
const TAB: u16 = b'\t' as u16;

/// The arguments in one line, from which the C runtime and the standard library take them apart again.
fn command_line(arguments: &[OsString]) -> io::Result<Vec<u16>> {
    let mut line = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            line.push(SPACE);
        }
        let units: Vec<u16> = argument.encode_wide().collect();
        if units.contains(&0) {
            return Err(invalid("an argument holds a zero"));
        }
        if index == 0 {
            // In the name of the program a backslash is a backslash, and there is no way to have a quote.
            line.push(QUOTE);
            line.extend(units.iter().filter(|unit| **unit != QUOTE));
            line.push(QUOTE);
        } else {
            append(&mut line, &units);
        }
    }
    line.push(0);
    if line.len() > MAX_COMMAND_LINE {
        return Err(invalid(
            "the arguments are longer than Windows takes: 32766 units of UTF-16 with their quotes",
        ));
    }
    Ok(line)
}

/// Adds an argument with the quotes that it needs: backslashes count double before a quote, and only there.
fn append(line: &mut Vec<u16>, argument: &[u16]) {
    let quoted = argument.is_empty() || argument.iter().any(|unit| matches!(*unit, SPACE | TAB));
    if quoted {
        line.push(QUOTE);
    }
    let mut backslashes = 0;
    for unit in argument {
        match *unit {
            BACKSLASH => backslashes += 1,
            QUOTE => {
                line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(*unit);
    }
    if quoted {
        line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
        line.push(QUOTE);
    }
}

/// The variables as the system wants them: in order, each with a zero at its end, and one more at the end of all. Names differ by more than
/// their case, and the last of several counts.
fn environment_block(variables: &[(OsString, OsString)]) -> io::Result<Vec<u16>> {
    let mut sorted = std::collections::BTreeMap::new();
    for (name, value) in variables {
        let key = name.to_ascii_uppercase();
        sorted.insert(key, (name, value));
    }
    let mut block = Vec::new();
    for (name, value) in sorted.values() {
        let mut entry = (*name).clone();
        entry.push("=");
        entry.push(value);
        block.extend(wide(&entry)?);
    }
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    Ok(block)
}

/// The path of a directory that is open, as a directory to begin in: without the prefix that the calls for directories do not know.
pub(super) fn path_of(directory: Borrowed<'_>) -> io::Result<Vec<u16>> {
    let mut path = vec![0_u16; 512];
    loop {
        let room = u32::try_from(path.len()).map_err(io::Error::other)?;
        // SAFETY: the handle is open, and the buffer as long as is said.
        let length = unsafe {
            GetFinalPathNameByHandleW(
                directory.as_raw_handle(),
                path.as_mut_ptr(),
                room,
                FILE_NAME_NORMALIZED,
            )
        } as usize;
        if length == 0 {
            return Err(io::Error::last_os_error());
        }
        let fits = length < path.len();
        path.resize(length, 0);
        if fits {
            break;
        }
    }
    let share: Vec<u16> = r"\\?\UNC\".encode_utf16().collect();
    let disk: Vec<u16> = r"\\?\".encode_utf16().collect();
    let plain = match (path.strip_prefix(&share[..]), path.strip_prefix(&disk[..])) {
        (Some(rest), _) => [&[BACKSLASH, BACKSLASH], rest].concat(),
        (None, Some(rest)) => rest.to_vec(),
        (None, None) => path,
    };
    wide(&OsString::from_wide(&plain))
}
