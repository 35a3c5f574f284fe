// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client's memory, while it lets the device in.

use std::sync::Arc;

use ims_vfio::dma::{Dma, Pinned};

use crate::memory::Memory;

/// While bus mastering is on. What the client takes away meanwhile is answered when
/// the session is dropped, and fails in it before.
impl Memory for Dma {
    type Session = Pinned;

    fn enter(&self) -> Option<Arc<Pinned>> {
        Some(Arc::new(self.session().ok()?.pinned()))
    }
}
