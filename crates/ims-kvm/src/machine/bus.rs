// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is around the vCPUs.

/// What the guest's accesses outside its memory reach, and what its handlers tell.
///
/// Called on the vCPU's thread, which waits for it: the guest is in its exit. A
/// panic here stops the vCPU ([`super::Stopped::Panicked`]), not the process.
pub trait Bus: Send + Sync {
    /// The guest reads.
    fn read(&self, _cpu: u32, _address: u64, into: &mut [u8]) {
        into.fill(0xff);
    }

    /// The guest writes.
    fn write(&self, _cpu: u32, _address: u64, _from: &[u8]) {}

    /// The handler of a vector found these bits in the `word`-th word of sources,
    /// and has counted them.
    fn taken(&self, _cpu: u32, _vector: u8, _word: u32, _bits: u64) {}
}
