// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The other process: a hot set of sources that rotates, and now and then any.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use vm_memory::VolatileMemory;

use super::passing;

/// Sources that are hot at a time, and how many are replaced how often.
const HOT: u32 = 500;
const ROTATE: u32 = 250;
const EVERY: Duration = Duration::from_millis(40);

/// Numbers that look random (xorshift).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 16) % u64::from(limit)) as u32
    }
}

pub fn write() {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let mut socket = UnixStream::from(socket);
    let memory = passing::take_memory(&socket);
    let eventfds = passing::take_eventfds(&socket, super::SOURCES);
    let words = memory.slice();
    let word = |source: u32| {
        words
            .get_atomic_ref::<AtomicU64>(source as usize * 8)
            .unwrap()
    };
    let mut sent = vec![0u64; eventfds.len()];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut post = |source: u32| {
        let fresh = word(source).fetch_or(1, Ordering::SeqCst) & 1 == 0;
        if fresh {
            sent[source as usize] += 1;
            eventfds[source as usize].write(1).unwrap();
        }
        fresh
    };
    let start = Instant::now();
    while !passing::told_to_stop(&mut socket) {
        for _ in 0..64 {
            let first = (start.elapsed().as_millis() / EVERY.as_millis()) as u32 * ROTATE;
            let source = if random.below(10) == 0 {
                random.below(super::SOURCES)
            } else {
                (first + random.below(HOT)) % super::SOURCES
            };
            if !post(source) {
                std::thread::yield_now();
            }
        }
    }
    // The last write of each: those still under way have theirs.
    for source in 0..super::SOURCES {
        post(source);
    }
    let counts: Vec<u8> = sent.iter().flat_map(|count| count.to_le_bytes()).collect();
    socket.write_all(&counts).unwrap();
}
