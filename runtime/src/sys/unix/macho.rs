//! What the header of a Mach-O file says as it lies in memory (`mach-o/loader.h`): the id of the build, and where code is.

use std::ops::Range;

/// `MH_MAGIC_64`, in the machine's order.
const MAGIC: u32 = 0xFEED_FACF;
/// How long the header is, before the commands.
pub(crate) const HEADER: usize = 32;
/// `LC_SEGMENT_64`.
const SEGMENT: u32 = 0x19;
/// `LC_UUID`.
const UUID: u32 = 0x1B;
/// `VM_PROT_EXECUTE`.
const EXECUTE: u32 = 4;

/// What is of use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image {
    /// The `LC_UUID`, which the linker makes of what it links.
    pub(crate) build: Option<[u8; 16]>,
    /// The address that the file wants its header to lie at.
    pub(crate) base: u64,
    /// The executable parts, as addresses that the file wants.
    pub(crate) code: Vec<Range<u64>>,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// How long the commands are that follow this header.
pub(crate) fn length_of_commands(header: &[u8]) -> Option<usize> {
    (word(header, 0)? == MAGIC).then_some(())?;
    usize::try_from(word(header, 20)?).ok()
}

/// Reads the commands of a header; what is cut short is `None`.
pub(crate) fn parse(header: &[u8]) -> Option<Image> {
    let length = length_of_commands(header)?;
    let mut commands = header.get(HEADER..HEADER.checked_add(length)?)?;
    let mut image = Image::default();
    for _ in 0..word(header, 16)? {
        let (kind, size) = (word(commands, 0)?, word(commands, 4)? as usize);
        let command = commands.get(..size)?;
        match kind {
            UUID => image.build = Some(command.get(8..24)?.try_into().ok()?),
            SEGMENT => {
                let (address, size) = (long(command, 24)?, long(command, 32)?);
                if command.get(8..24)?.starts_with(b"__TEXT\0") {
                    image.base = address;
                }
                if word(command, 60)? & EXECUTE != 0 {
                    image.code.push(address..address.checked_add(size)?);
                }
            }
            _ => {}
        }
        commands = commands.get(size.max(8)..)?;
    }
    Some(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(kind: u32, rest: &[&[u8]]) -> Vec<u8> {
        let rest = rest.concat();
        let size = 8 + u32::try_from(rest.len()).unwrap();
        [&kind.to_ne_bytes()[..], &size.to_ne_bytes(), &rest].concat()
    }

    fn segment(name: &[u8; 16], address: u64, size: u64, protection: u32) -> Vec<u8> {
        let place = [address, size, 0, size].map(u64::to_ne_bytes);
        let rest = [7, protection, 0, 0].map(u32::to_ne_bytes);
        command(SEGMENT, &[name, place.as_flattened(), rest.as_flattened()])
    }

    fn file(commands: &[Vec<u8>]) -> Vec<u8> {
        let all = commands.concat();
        let [count, length] = [commands.len(), all.len()].map(|number| u32::try_from(number).unwrap());
        let head = [MAGIC, 0, 0, 2, count, length, 0, 0].map(u32::to_ne_bytes);
        [head.as_flattened(), &all].concat()
    }

    #[test]
    fn the_build_and_the_code_are_found_among_the_commands() {
        let file = file(&[
            segment(b"__PAGEZERO\0\0\0\0\0\0", 0, 1 << 32, 0),
            segment(b"__TEXT\0\0\0\0\0\0\0\0\0\0", 1 << 32, 0x4000, 5),
            segment(b"__DATA\0\0\0\0\0\0\0\0\0\0", (1 << 32) + 0x4000, 0x4000, 3),
            command(0x32, &[&[0; 16]]),
            command(UUID, &[b"0123456789abcdef"]),
        ]);
        let image = parse(&file).unwrap();
        assert_eq!(image.build.as_ref(), Some(b"0123456789abcdef"));
        assert_eq!((image.base, image.code.len()), (1 << 32, 1));
        assert_eq!(image.code[0], 1 << 32..(1 << 32) + 0x4000);
        for length in 0..file.len() {
            assert_eq!(parse(&file[..length]), None);
        }
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        assert_eq!(parse(&[0; 64]), None);
        assert_eq!(parse(&file(&[command(1, &[]), vec![0; 4]])), None);
    }
}
