//! What the two ends have in common, as handles: clones, a name for debugging, and ways to travel.

/// Gives it to an end, which is a struct of an `end` and an `item`.
macro_rules! handle {
    ($name:ident) => {
        impl<T> $name<T> {
            pub(super) fn new(end: $crate::channel::ends::End) -> Self {
                Self { end: std::sync::Arc::new(end), item: std::marker::PhantomData }
            }
        }

        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                Self { end: std::sync::Arc::clone(&self.end), item: std::marker::PhantomData }
            }
        }

        impl<T> std::fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field("len", &self.len()).finish_non_exhaustive()
            }
        }

        impl<T> serde::Serialize for $name<T> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.end.serialize(serializer)
            }
        }

        impl<'de, T> serde::Deserialize<'de> for $name<T> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::channel::ends::End::deserialize(deserializer, $crate::channel::item::<T>())
                    .map(Self::new)
            }
        }
    };
}
pub(super) use handle;
