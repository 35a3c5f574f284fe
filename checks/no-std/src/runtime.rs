// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What std would bring: a way to end on a panic, and the C library's start-up
//! code, by which a program begins on the host this check is built for.

use core::panic::PanicInfo;

// SAFETY: nothing is declared in it; it only has the linker take the C library,
// whose start-up code calls `main` and whose `abort` is declared below.
#[link(name = "c")]
unsafe extern "C" {}

// SAFETY: this is the C standard's `abort`: no arguments, does not return.
unsafe extern "C" {
    safe fn abort() -> !;
}

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    abort()
}
