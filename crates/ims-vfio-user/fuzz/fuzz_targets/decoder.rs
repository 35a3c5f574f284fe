// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Any bytes as a stream of messages: cut up, read, and agreed to.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../stream.rs"]
mod stream;

fuzz_target!(|bytes: &[u8]| {
    stream::decode(bytes);
});
