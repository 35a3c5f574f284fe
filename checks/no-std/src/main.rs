// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Proves that `ims` and `ims-virtio-driver` link, and work, without std.
//!
//! The program has a panic handler of its own: if anything pulled in std, there
//! would be two and it would not build. It leaves with 0 if what it used of
//! them did what it should.
#![no_std]
#![no_main]

extern crate alloc;

mod bump;
mod runtime;
mod virtio;
mod work;

#[global_allocator]
static HEAP: bump::Bump = bump::Bump::new();

/// Where the C start-up code enters.
// SAFETY: the program has no other symbol of this name, and this is the
// signature the C start-up code calls it by (it passes arguments nobody reads).
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    match work::all() {
        Ok(()) => 0,
        Err(failed) => failed as i32,
    }
}
