//! Numbers by which two processes see that they mean the same type.
//!
//! A handle that arrives looks whether what it leads to is of its own type before it shows anything of it. The numbers are
//! hashes (FNV-1a), which come out alike in every process.

use std::any::{TypeId, type_name};
use std::hash::{Hash, Hasher};

/// The fingerprint of a type whose values are encoded: of its name. Two programs that take the type from one crate have the same.
pub(crate) fn of_encoded<T: ?Sized>() -> u64 {
    let mut hash = Fnv::default();
    hash.write(type_name::<T>().as_bytes());
    hash.finish()
}

/// The fingerprint of a type that is looked at where it lies, in a role: of all that makes its layout what it is. Two builds
/// differ.
pub(crate) fn of_memory<T: 'static>(role: &str) -> u64 {
    let mut hash = Fnv::default();
    role.hash(&mut hash);
    env!("CARGO_PKG_VERSION").hash(&mut hash);
    // The id tells types of one name apart, the name those of one id in two builds.
    TypeId::of::<T>().hash(&mut hash);
    type_name::<T>().hash(&mut hash);
    (size_of::<T>(), align_of::<T>()).hash(&mut hash);
    hash.finish()
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_one_name_and_size_are_told_apart_where_they_lie() {
        fn one() -> (u64, u64) {
            struct Same(#[allow(dead_code)] u32);
            (of_encoded::<Same>(), of_memory::<Same>("role"))
        }
        let other = {
            struct Same(#[allow(dead_code)] u32);
            (of_encoded::<Same>(), of_memory::<Same>("role"))
        };
        assert_ne!(one().1, other.1);
        assert_ne!(of_encoded::<u32>(), of_encoded::<u64>());
        assert_ne!(of_memory::<u32>("role"), of_memory::<u32>("another"));
    }
}
