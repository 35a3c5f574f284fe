// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Any driver, in all modes of both transports: what the fuzzer has found worth
//! keeping, and bytes at random.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

#[path = "../fuzz/driver/mod.rs"]
mod driver;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

fn corpus() -> BTreeMap<String, Vec<u8>> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/registers");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    };
    std::fs::read_dir(place).unwrap().map(read).collect()
}

#[test]
fn every_mode_is_in_the_corpus_and_comes_to_its_interrupts() {
    let corpus = corpus();
    for kind in 0..7 {
        let of_kind = corpus.values().filter(|bytes| bytes.first() == Some(&kind));
        let (mut messages, mut asserted, mut starts, mut restored) = (0, 0, 0, 0);
        for bytes in of_kind {
            let summary = driver::drive(bytes);
            assert!(summary.operations > 0);
            messages += summary.messages;
            asserted += summary.asserted;
            starts += summary.starts;
            restored += summary.restored;
        }
        // One of each start and assertion is the orderly driver's, at the end.
        assert!(starts > 1 && asserted > 0, "{kind}: {starts} {asserted}");
        assert_eq!(messages > 0, kind != 0, "{kind}");
        assert!(restored > 0 || [2, 3, 6].contains(&kind), "{kind}");
    }
}

#[test]
fn the_corpus_cut_anywhere_leaves_a_sound_device() {
    for bytes in corpus().values() {
        for length in 0..=bytes.len() {
            driver::drive(&bytes[..length]);
        }
    }
}

proptest! {
    #[test]
    fn bytes_at_random_leave_a_sound_device(
        kind in 0u8..7,
        mut bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        bytes.insert(0, kind);
        driver::drive(&bytes);
    }

    /// One from the corpus, with some bytes changed: deeper than chance alone comes.
    #[test]
    fn a_corpus_with_changes_leaves_a_sound_device(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        tail in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let corpus: Vec<_> = corpus().into_values().collect();
        let mut bytes = which.get(&corpus).clone();
        bytes.extend(tail);
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        driver::drive(&bytes);
    }
}
