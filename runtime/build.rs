//! Nothing to build: `links = "offspring"` in the manifest needs a build script to exist.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
