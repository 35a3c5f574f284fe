// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What every function of ours has: the pin, MSI-X in a BAR, a client that goes.

use ims_vfio::dma::Dma;
use ims_vfio::irqs::{Irqs, Lines};
use ims_vfio::pci::{Bar, ConfigBuilder, MsixPlace};
use ims_vfio::{Function, Hold};

use super::NewError;
use super::vectors::ClientVectors;

/// BAR with the MSI-X table and its pending bits.
pub(super) const MSIX_BAR: u8 = 4;
/// Its bytes: room for 2048 vectors.
const MSIX_BAR_BYTES: u64 = 0x1_0000;
/// Where the pending bits are in it.
const PENDING: u32 = 0x8000;

/// `builder` with `vectors` of MSI-X in [`MSIX_BAR`], if there are any.
pub(super) fn with_msix(builder: ConfigBuilder, vectors: u16) -> ConfigBuilder {
    if vectors == 0 {
        return builder;
    }
    let place = MsixPlace {
        table: (MSIX_BAR, 0),
        pba: (MSIX_BAR, PENDING),
    };
    builder
        .bar(MSIX_BAR, Bar::memory32(MSIX_BAR_BYTES))
        .msix(vectors, place)
}

/// Reads from [`MSIX_BAR`].
pub(super) fn read_msix(vectors: &ClientVectors, offset: u64, into: &mut [u8]) {
    match offset.checked_sub(PENDING.into()) {
        Some(offset) => vectors.read_pending(offset, into),
        None => vectors.read_table(offset, into),
    }
}

/// Writes to [`MSIX_BAR`]; pending bits are not written.
pub(super) fn write_msix(vectors: &ClientVectors, offset: u64, from: &[u8]) {
    if offset < PENDING.into() {
        vectors.write_table(offset, from);
    }
}

/// A function of this config space, with the pin and `vectors` of MSI-X, whose client
/// may make `maps` maps.
pub(super) fn build(
    builder: ConfigBuilder,
    vectors: u16,
    maps: usize,
) -> Result<Function, NewError> {
    let lines = Lines {
        intx: true,
        ..Lines::msix(vectors)
    };
    Ok(Function {
        config: builder.build()?,
        irqs: Irqs::new(lines, None)?,
        dma: Dma::with_limit(maps),
    })
}

/// The client is gone: config space is as after power-on, and its memory is out of
/// reach.
pub(super) fn close(function: &Function, hold: &Hold) {
    function.config.reset();
    function.dma.block(hold.clone());
}
