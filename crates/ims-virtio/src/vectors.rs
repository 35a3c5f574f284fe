// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The MSI-X of the function that a virtio-pci device is in.

use ims::msix::MsixPort;
use ims::sink::MessageSink;

/// Vectors whose table and masks are kept by whoever has the function.
pub trait Vectors: Send + Sync + 'static {
    /// How many there are: 0 to 2048.
    fn count(&self) -> u16;

    /// Raises one; it is kept if it is masked.
    fn raise(&self, vector: u16);
}

impl<K: MessageSink + Send + Sync + 'static> Vectors for MsixPort<K> {
    fn count(&self) -> u16 {
        u16::try_from(MsixPort::count(self)).unwrap_or(u16::MAX)
    }

    fn raise(&self, vector: u16) {
        // What became of it is in the vector's counts.
        let _ = MsixPort::raise(self, vector);
    }
}

impl<V: Vectors + ?Sized> Vectors for std::sync::Arc<V> {
    fn count(&self) -> u16 {
        (**self).count()
    }

    fn raise(&self, vector: u16) {
        (**self).raise(vector);
    }
}
