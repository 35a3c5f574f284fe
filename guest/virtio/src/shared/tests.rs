// SPDX-License-Identifier: Apache-2.0 OR MIT
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    unsafe_code,
    reason = "a test"
)]

extern crate std;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use super::{Mapped, Shared};

/// Memory made of atomics: whoever else looks at it does so by them.
static WORDS: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];

fn mapped(length: usize) -> Mapped {
    let base = NonNull::new(WORDS.as_ptr().cast_mut().cast::<u8>()).unwrap();
    // SAFETY: the words are static, atomic, and `length` is at most theirs.
    unsafe { Mapped::new(base, length, 0x1000) }
}

#[test]
fn words_of_all_sizes_are_the_memory_they_name() {
    let mapped = mapped(64);
    mapped
        .word64(8)
        .unwrap()
        .store(0x0807_0605_0403_0201, Ordering::Relaxed);
    assert_eq!(mapped.word16(10).unwrap().load(Ordering::Relaxed), 0x0403);
    assert_eq!(
        mapped.word32(12).unwrap().load(Ordering::Relaxed),
        0x0807_0605
    );
    let mut bytes = [0; 3];
    mapped.read(9, &mut bytes).unwrap();
    assert_eq!(bytes, [2, 3, 4]);
    mapped.write(61, &[7, 8, 9]).unwrap();
    let last = WORDS[7].load(Ordering::Relaxed);
    assert_eq!(last >> 40, 0x09_0807);
    assert_eq!((mapped.bus_address(), mapped.len()), (0x1000, 64));
}

#[test]
fn nothing_beyond_the_end_or_across_a_word_is_lent() {
    let mapped = mapped(24);
    assert!(mapped.word64(16).is_some());
    for offset in [17, 20, 24, 100, usize::MAX - 3, usize::MAX] {
        assert!(mapped.word64(offset).is_none(), "{offset}");
    }
    assert!(mapped.word32(2).is_none());
    assert!(mapped.word16(1).is_none());
    assert!(mapped.read(23, &mut [0; 2]).is_none());
    assert!(mapped.write(usize::MAX, &[0; 2]).is_none());
    assert!(mapped.read(24, &mut []).is_some());
}
