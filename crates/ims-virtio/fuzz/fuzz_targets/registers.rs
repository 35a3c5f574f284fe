// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Any bytes as what a driver does to registers and memory, in all modes of both
//! transports.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../driver/mod.rs"]
mod driver;

fuzz_target!(|bytes: &[u8]| {
    driver::drive(bytes);
});
