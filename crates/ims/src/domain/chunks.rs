// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A list of the control half's own that grows by chunks: what it has beyond its
//! use stays below one chunk, and growing copies nothing but the last.

use alloc::vec::Vec;

/// Elements in a chunk.
const CHUNK: usize = 1024;

/// A list that grows at its end.
#[derive(Debug)]
pub(super) struct Chunks<T> {
    /// All but the last are full.
    chunks: Vec<Vec<T>>,
}

impl<T> Chunks<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.chunks.get_mut(at / CHUNK)?.get_mut(at % CHUNK)
    }

    pub(super) fn push(&mut self, element: T) {
        match self.chunks.last_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => {
                if last.len() == last.capacity() {
                    last.reserve_exact((CHUNK - last.len()).min(last.len() / 4 + 16));
                }
                last.push(element);
            }
            None => {
                // A short list is not charged a whole chunk, a long one not the
                // copies that growing it would take.
                let room = if self.chunks.is_empty() { 16 } else { CHUNK };
                let mut chunk = Vec::with_capacity(room);
                chunk.push(element);
                self.chunks.push(chunk);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_element_stands_where_it_was_pushed() {
        let mut list = Chunks::new();
        for element in 0..3 * CHUNK + 1 {
            assert_eq!(list.get(element), None);
            list.push(element);
            assert_eq!(list.get_mut(element), Some(&mut element.clone()));
        }
        assert!((0..3 * CHUNK + 1).all(|at| list.get(at) == Some(&at)));
    }

    #[test]
    fn room_beyond_use_stays_below_a_chunk() {
        let mut list = Chunks::new();
        for used in 1..=3 * CHUNK {
            list.push(0u8);
            let room: usize = list.chunks.iter().map(Vec::capacity).sum();
            assert!(room - used < CHUNK && (used > CHUNK || room <= used + used / 4 + 16));
        }
    }
}
