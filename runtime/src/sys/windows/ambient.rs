//! What a process inherits besides its arguments: directory and standard streams. Windows has no signal masks, no
//! resource limits of a process and no groups to be in; a console group is made as the process is
//! (`CREATE_NEW_PROCESS_GROUP`).

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, IntoRawHandle, RawHandle};
use std::path::Path;

use serde::{Deserialize, Serialize};
use windows_sys::Win32::System::Console::{
    STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetStdHandle,
};
use windows_sys::Win32::System::Pipes::CreatePipe;

use super::{Borrowed, Object};

/// What has to be handed over: nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ambient;

/// An [`Ambient`] with the credentials that must be equal for it to be handed over: there are none to compare.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) ambient: Ambient,
    pub(crate) credentials: String,
}

/// Takes a snapshot.
pub(crate) fn capture() -> Snapshot {
    Snapshot { ambient: Ambient, credentials: String::new() }
}

impl Ambient {
    /// Makes this process like the snapshot: as far as there is one, it is.
    pub(crate) fn adopt(&self, now: &Self) {
        debug_assert_eq!(self, now);
    }

    /// Whether a process like this may open as many descriptors as one like the other: as far as there is one, it may.
    #[allow(clippy::unused_self)] // as on other systems
    pub(crate) fn opens_as_many_as(&self, _other: &Self) -> bool {
        true
    }
}

/// The handle of a standard stream, if there is one.
pub(crate) fn standard(number: usize) -> Option<Borrowed<'static>> {
    let handle: RawHandle = match number {
        0 => io::stdin().as_raw_handle(),
        1 => io::stdout().as_raw_handle(),
        _ => io::stderr().as_raw_handle(),
    };
    if handle.is_null() {
        return None;
    }
    // SAFETY: open, and the standard streams are not closed behind the back of a running call in sound programs.
    Some(unsafe { BorrowedHandle::borrow_raw(handle) })
}

/// Makes the three standard streams these; `None` closes one.
pub(crate) fn install_standard(streams: [Option<Object>; 3]) -> io::Result<()> {
    for (number, stream) in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE].into_iter().zip(streams) {
        let handle = stream.map_or(std::ptr::null_mut(), IntoRawHandle::into_raw_handle);
        // SAFETY: a handle that is given away to the process, or none. The one before stays open: somebody may be using it.
        if unsafe { SetStdHandle(number, handle) } == 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// `NUL`, for reading and writing.
pub(crate) fn null_device() -> io::Result<Object> {
    Ok(OpenOptions::new().read(true).write(true).open("NUL")?.into())
}

/// A pipe: the end to read from, and the end to write to.
pub(crate) fn pipe() -> io::Result<(Object, Object)> {
    let (mut reader, mut writer) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: two places of ours; no attributes, so that neither end is inherited; the system chooses how much lies in it.
    if unsafe { CreatePipe(&raw mut reader, &raw mut writer, std::ptr::null(), 0) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call made it for us.
    let reader = unsafe { Object::from_raw_handle(reader) };
    // SAFETY: as above.
    Ok((reader, unsafe { Object::from_raw_handle(writer) }))
}

/// Whether a stream is a terminal.
pub(crate) fn is_terminal(stream: Borrowed<'_>) -> bool {
    io::IsTerminal::is_terminal(&stream)
}

/// Reading a terminal from a group in the background stops a process of Unix; here it stops nobody.
pub(crate) fn refuse_terminal_stops() {}

/// A handle of a directory, to be entered by another process.
pub(crate) fn directory(path: &Path) -> io::Result<Object> {
    /// Without it, directories cannot be opened (`CreateFileW`).
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    let directory = OpenOptions::new().read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)?;
    if directory.metadata()?.is_dir() {
        Ok(directory.into())
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

/// Makes a directory the current one.
pub(crate) fn enter(directory: &Object) -> io::Result<()> {
    let path = super::exec::path_of(super::borrow(directory))?;
    std::env::set_current_dir(OsString::from_wide(path.strip_suffix(&[0]).unwrap_or(&path)))
}

/// Puts this process into a group of its own: it is in the one that it was created in.
pub(crate) fn separate(_session: bool) {}
