// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Accesses to registers that have words alone.

/// Calls for each aligned 32-bit word of an access with its number and its bytes.
/// The rest of the access, if it begins or ends elsewhere, is zeroed.
pub(super) fn words(offset: u64, bytes: &mut [u8], mut touch: impl FnMut(u64, &mut [u8])) {
    if !offset.is_multiple_of(4) {
        return bytes.fill(0);
    }
    let mut chunks = bytes.chunks_exact_mut(4);
    for (word, chunk) in (offset / 4..).zip(&mut chunks) {
        touch(word, chunk);
    }
    chunks.into_remainder().fill(0);
}
