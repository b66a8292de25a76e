//! Starts a program as the C library does (`posix_spawn(3)`), where that is all there is.
//!
//! Nothing of the parent is copied, however large it is, and what fails between is an error of the call. Of descriptors the new
//! program gets what is named: on Apple's systems the kernel closes all others (`POSIX_SPAWN_CLOEXEC_DEFAULT`), elsewhere those
//! that are close-on-exec, as all of ours are.

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

/// Which process group the new process belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// That of its parent.
    Inherit,
    /// One of its own.
    Own,
    /// One of its own, in a session of its own.
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
    pub(crate) standard: [Option<BorrowedFd<'a>>; 3],
    /// The one further descriptor that stays open, under the same number.
    pub(crate) boot: &'a OwnedFd,
    /// The directory to begin in; `None` leaves the parent's.
    pub(crate) directory: Option<BorrowedFd<'a>>,
    pub(crate) group: Group,
}

#[cfg(target_vendor = "apple")]
const SESSION: libc::c_int = 0x0400; // `POSIX_SPAWN_SETSID` of `spawn.h`; libc lacks it
#[cfg(any(target_os = "linux", target_os = "android"))]
const SESSION: libc::c_int = libc::POSIX_SPAWN_SETSID as libc::c_int;
#[cfg(not(any(target_vendor = "apple", target_os = "linux", target_os = "android")))]
const SESSION: libc::c_int = 0; // the BSDs have none

#[cfg(target_vendor = "apple")]
const NAMED_ALONE: libc::c_int = libc::POSIX_SPAWN_CLOEXEC_DEFAULT;
#[cfg(not(target_vendor = "apple"))]
const NAMED_ALONE: libc::c_int = 0;

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

/// What happens to descriptors between.
struct Actions(Box<libc::posix_spawn_file_actions_t>);

impl Actions {
    fn new() -> io::Result<Self> {
        let mut actions = Box::new(MaybeUninit::uninit());
        // SAFETY: the place is valid for writing.
        check(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: initialised by the call.
        Ok(Self(unsafe { actions.assume_init() }))
    }

    /// The new program has this descriptor under that number; under its own, it stays open over exec.
    fn duplicate(&mut self, from: RawFd, to: RawFd) -> io::Result<()> {
        // SAFETY: initialised, and two integers.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut *self.0, from, to) })
    }

    #[cfg(any(target_vendor = "apple", target_env = "gnu"))]
    fn enter(&mut self, directory: RawFd) -> io::Result<()> {
        // SAFETY: initialised, and an integer.
        check(unsafe { libc::posix_spawn_file_actions_addfchdir_np(&raw mut *self.0, directory) })
    }

    #[cfg(not(any(target_vendor = "apple", target_env = "gnu")))]
    #[allow(clippy::unused_self)] // as above
    fn enter(&mut self, _directory: RawFd) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a process cannot be started in a directory on this system",
        ))
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised, and not used again.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut *self.0) };
    }
}

/// How the process differs from its parent.
struct Attributes(Box<libc::posix_spawnattr_t>);

impl Attributes {
    fn new(group: Group) -> io::Result<Self> {
        let mut attributes = Box::new(MaybeUninit::uninit());
        // SAFETY: the place is valid for writing.
        check(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: initialised by the call.
        let mut attributes = Self(unsafe { attributes.assume_init() });
        let group = match group {
            Group::Inherit => 0,
            // Zero, as it is from the beginning, is the group of its own number.
            Group::Own => libc::POSIX_SPAWN_SETPGROUP as libc::c_int,
            Group::Session if SESSION == 0 => {
                let why = "a process cannot be started in a session of its own on this system";
                return Err(io::Error::new(io::ErrorKind::Unsupported, why));
            }
            Group::Session => SESSION,
        };
        #[allow(clippy::cast_possible_truncation)] // all flags have room in a short
        let flags = (group | NAMED_ALONE) as _;
        // SAFETY: initialised, and an integer.
        check(unsafe { libc::posix_spawnattr_setflags(&raw mut *attributes.0, flags) })?;
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised, and not used again.
        unsafe { libc::posix_spawnattr_destroy(&raw mut *self.0) };
    }
}

fn is_open(fd: RawFd) -> bool {
    // SAFETY: integers.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Makes the process: its number. It has executed the program, or this is an error.
pub(crate) fn start(program: &CStr, exec: &Exec<'_>) -> io::Result<u32> {
    let arguments = strings(exec.arguments.iter().map(|argument| argument.as_bytes().to_vec()))?;
    let environment = strings(
        exec.environment.iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()),
    )?;
    let mut actions = Actions::new()?;
    for (target, stream) in (0..).zip(&exec.standard) {
        // Sources lie above 2 or are the target itself, so none is overwritten before its turn.
        match stream {
            Some(stream) => actions.duplicate(stream.as_raw_fd(), target)?,
            None if is_open(target) => actions.duplicate(target, target)?,
            None => {}
        }
    }
    if let Some(directory) = &exec.directory {
        actions.enter(directory.as_raw_fd())?;
    }
    actions.duplicate(exec.boot.as_raw_fd(), exec.boot.as_raw_fd())?;
    let attributes = Attributes::new(exec.group)?;
    let (arguments, environment) = (pointers(&arguments), pointers(&environment));
    let mut pid = 0;
    // SAFETY: the program is a C string, actions and attributes are initialised, and both vectors are arrays of C strings that end in a
    // null pointer, which the call only reads.
    check(unsafe {
        libc::posix_spawn(
            &raw mut pid,
            program.as_ptr(),
            &raw const *actions.0,
            &raw const *attributes.0,
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    })?;
    Ok(pid as u32)
}

fn strings(bytes: impl Iterator<Item = Vec<u8>>) -> io::Result<Vec<CString>> {
    bytes.map(|bytes| CString::new(bytes).map_err(io::Error::from)).collect()
}

fn pointers(strings: &[CString]) -> Vec<*mut libc::c_char> {
    strings.iter().map(|string| string.as_ptr().cast_mut()).chain([std::ptr::null_mut()]).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::ambient;

    /// What a shell says when it is started so.
    fn said(script: &str, group: Group, directory: Option<BorrowedFd<'_>>) -> String {
        let (reader, writer) = ambient::pipe().unwrap();
        let (boot, _kept) = ambient::pipe().unwrap();
        let numbers = [boot.as_raw_fd(), reader.as_raw_fd()].map(|number| number.to_string());
        let arguments = ["sh", "-c", script, "sh", &numbers[0], &numbers[1]].map(OsString::from);
        let exec = Exec {
            arguments: &arguments,
            environment: &[("GIVEN".into(), "this".into())],
            standard: [None, Some(writer.as_fd()), None],
            boot: &boot,
            directory,
            group,
        };
        let pid = start(c"/bin/sh", &exec).unwrap();
        drop(writer);
        let mut said = String::new();
        std::fs::File::from(reader).read_to_string(&mut said).unwrap();
        assert_eq!(crate::waitpid(pid, true).unwrap().unwrap().exitcode(), 0);
        said.replace(&pid.to_string(), "itself")
    }

    #[test]
    fn it_has_what_it_was_given_and_nothing_else() {
        let script = "echo $GIVEN $HOME; (: <&$1) && echo boot; ls -l /proc/$$/fd | grep -c \" $2 ->\"; true";
        assert_eq!(said(script, Group::Inherit, None), "this\nboot\n0\n");
    }

    #[test]
    fn it_begins_in_its_directory_and_group() {
        let root = std::fs::File::open("/").unwrap();
        let script =
            "pwd; read -r pid name state parent group session rest < /proc/$$/stat; echo $group $session";
        let own = said(script, Group::Own, Some(root.as_fd()));
        assert!(own.starts_with("/\nitself ") && !own.ends_with(" itself\n"), "{own}");
        let session = said(script, Group::Session, Some(root.as_fd()));
        assert_eq!(session, "/\nitself itself\n");
        assert!(!said(script, Group::Inherit, None).contains("itself"));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let (boot, _kept) = ambient::pipe().unwrap();
        let exec = Exec {
            arguments: &["x".into()],
            environment: &[],
            standard: [None, None, None],
            boot: &boot,
            directory: None,
            group: Group::Inherit,
        };
        assert_eq!(start(c"/nonexistent/program", &exec).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
