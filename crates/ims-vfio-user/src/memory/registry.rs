// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which addresses are clients' files: a table that a signal handler can read.
//!
//! The table grows by chunks that are never freed. A place in it is used again, and
//! a handler may be reading it just then, for a fault elsewhere: so each place has a
//! generation, odd while it changes, and a handler that sees it change leaves it
//! out. That is never the place it looks for: who faults in a mapping keeps it, and
//! so its place does not change before the handler has returned.

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, PoisonError};

use rustix::mm::ProtFlags;

/// Places in a chunk.
const CHUNK: usize = 64;

/// One mapping, or none if its length is 0.
pub(super) struct Place {
    /// Odd while the others change.
    generation: AtomicUsize,
    start: AtomicUsize,
    length: AtomicUsize,
    /// Bytes of the pages it is made of, a power of two.
    page: AtomicUsize,
    writable: AtomicBool,
    lost: AtomicBool,
}

/// What a place says of its mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: usize,
    pub(super) length: usize,
    pub(super) page: usize,
    pub(super) writable: bool,
}

/// What pages may be used for.
pub(super) fn protection(writable: bool) -> ProtFlags {
    if writable {
        ProtFlags::READ | ProtFlags::WRITE
    } else {
        ProtFlags::READ
    }
}

impl Place {
    const fn new() -> Self {
        Self {
            generation: AtomicUsize::new(0),
            start: AtomicUsize::new(0),
            length: AtomicUsize::new(0),
            page: AtomicUsize::new(0),
            writable: AtomicBool::new(false),
            lost: AtomicBool::new(false),
        }
    }

    /// Writers exclude each other: a place is one owner's, or nobody's.
    fn set(&self, range: Range) {
        let generation = self.generation.load(Ordering::Relaxed);
        self.generation
            .store(generation.wrapping_add(1), Ordering::Relaxed);
        // A reader that sees anything below sees the odd generation, too.
        fence(Ordering::Release);
        self.start.store(range.start, Ordering::Relaxed);
        self.length.store(range.length, Ordering::Relaxed);
        self.page.store(range.page, Ordering::Relaxed);
        self.writable.store(range.writable, Ordering::Relaxed);
        self.lost.store(false, Ordering::Relaxed);
        self.generation
            .store(generation.wrapping_add(2), Ordering::Release);
    }

    /// What it says; `None` while it changes.
    fn get(&self) -> Option<Range> {
        let before = self.generation.load(Ordering::Acquire);
        let range = Range {
            start: self.start.load(Ordering::Relaxed),
            length: self.length.load(Ordering::Relaxed),
            page: self.page.load(Ordering::Relaxed),
            writable: self.writable.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        let after = self.generation.load(Ordering::Relaxed);
        (before == after && before.is_multiple_of(2)).then_some(range)
    }

    /// Says that its memory is lost. Only for who is inside the mapping.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::SeqCst);
    }

    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }
}

struct Chunk {
    places: [Place; CHUNK],
    /// The next chunk, null at the end; once set it stays.
    next: AtomicPtr<Chunk>,
}

impl Chunk {
    const fn new() -> Self {
        Self {
            places: [const { Place::new() }; CHUNK],
            next: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    fn next(&self) -> Option<&'static Chunk> {
        // SAFETY: the pointer is null, or came from `Box::leak` before it was stored
        // with release order, and nothing ever frees or changes the chunk itself.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }
}

static FIRST: Chunk = Chunk::new();

/// Places that are nobody's, and the last chunk.
struct Free {
    places: Vec<&'static Place>,
    last: Option<&'static Chunk>,
}

static FREE: Mutex<Free> = Mutex::new(Free {
    places: Vec::new(),
    last: None,
});

impl Free {
    fn take(&mut self) -> &'static Place {
        loop {
            if let Some(place) = self.places.pop() {
                return place;
            }
            let chunk = match self.last {
                None => &FIRST,
                Some(last) => {
                    let new = Box::leak(Box::new(Chunk::new()));
                    last.next.store(new, Ordering::Release);
                    new
                }
            };
            self.last = Some(chunk);
            self.places.extend(chunk.places.iter().rev());
        }
    }
}

/// A mapping's place in the table; given back when dropped.
pub(super) struct Registered(&'static Place);

impl Registered {
    /// Takes a place for `range`.
    pub(super) fn new(range: Range) -> Self {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let place = free.take();
        place.set(range);
        Self(place)
    }

    /// Whether the memory was lost since.
    pub(super) fn is_lost(&self) -> bool {
        self.0.is_lost()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.set(Range {
            start: 0,
            length: 0,
            page: 0,
            writable: false,
        });
        free.places.push(self.0);
    }
}

/// The place of the mapping that holds `address`. Takes no lock, allocates nothing,
/// and so may be called by a signal handler.
pub(super) fn find(address: usize) -> Option<(&'static Place, Range)> {
    let mut chunk = Some(&FIRST);
    while let Some(here) = chunk {
        for place in &here.places {
            if let Some(range) = place.get()
                && address.wrapping_sub(range.start) < range.length
            {
                return Some((place, range));
            }
        }
        chunk = here.next();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    /// Addresses nobody has: the last page but some.
    fn range(at: usize) -> Range {
        Range {
            start: usize::MAX - 0x1000_0000 + at * 0x1000,
            length: 0x1000,
            page: 0x1000,
            writable: true,
        }
    }

    #[test]
    fn a_range_is_found_while_it_is_registered() {
        let ranges: Vec<_> = (0..3 * CHUNK).map(|at| range(0x1000 + at)).collect();
        let mut registered: Vec<_> = ranges.iter().map(|range| Registered::new(*range)).collect();
        for range in &ranges {
            let find = |address| find(address).map(|(_, found)| found);
            assert_eq!(find(range.start), Some(*range));
            assert_eq!(find(range.start + 0xfff), Some(*range));
        }
        registered.remove(CHUNK + 1);
        assert!(find(ranges[CHUNK + 1].start).is_none());
        assert!(find(ranges[CHUNK].start).is_some());
        drop(registered);
        assert!(ranges.iter().all(|range| find(range.start).is_none()));
    }

    #[test]
    fn a_place_that_is_used_again_is_not_lost() {
        for at in 0..4 * CHUNK {
            let registered = Registered::new(range(0x2000 + at));
            assert!(!registered.is_lost());
            let (place, _) = find(range(0x2000 + at).start).unwrap();
            place.lose();
            assert!(registered.is_lost());
        }
    }

    #[test]
    fn readers_never_see_half_a_range() {
        let stop = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let mut chunk = Some(&FIRST);
                        while let Some(here) = chunk {
                            for range in here.places.iter().filter_map(Place::get) {
                                // Ranges of this test say the same thing thrice.
                                if range.page == 0x10 {
                                    assert_eq!(range.length, !range.start & 0xff_ffff);
                                    assert_eq!(range.writable, range.start & 1 == 1);
                                }
                            }
                            chunk = here.next();
                        }
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (1..3_usize)
            .map(|seed| {
                thread::spawn(move || {
                    for at in 0..20_000_usize {
                        let start = usize::MAX - 0x100_0000 - (at * 7 + seed) % 0x10_0000;
                        drop(Registered::new(Range {
                            start,
                            length: !start & 0xff_ffff,
                            page: 0x10,
                            writable: start & 1 == 1,
                        }));
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    }
}
