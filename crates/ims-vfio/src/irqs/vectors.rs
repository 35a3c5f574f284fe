// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device model says of its MSI-X vectors, and asks of those IMS backs.

use std::ops::Range;
use std::sync::atomic::Ordering;

use ims::store::Cookie;

use super::backed::{BackedVectors, Handle};
use super::cell::Kind;
use super::error::VectorError;
use super::report::BackedReport;
use super::{Control, Irqs};

impl Irqs {
    /// What MSI-X vector `vector` is; `None` if there is no such vector.
    pub fn kind(&self, vector: u32) -> Option<Kind> {
        (vector < self.inner.lines.msix).then(|| self.kind_of(vector))
    }

    /// Declares what vectors are, before they are used: before any of them has
    /// had a trigger or a cookie.
    ///
    /// # Errors
    /// [`VectorError::OutOfRange`], [`VectorError::Used`],
    /// [`VectorError::NoBacking`]; nothing has changed.
    pub fn declare(&self, vectors: Range<u32>, kind: Kind) -> Result<(), VectorError> {
        let control = self.control();
        if kind == Kind::Backed && control.backed.is_none() {
            return Err(VectorError::NoBacking);
        }
        if vectors.is_empty() {
            return Ok(());
        }
        self.in_range(vectors.end - 1)?;
        for vector in vectors.clone() {
            let cell_used = || {
                let cell = self.inner.msix.get(vector);
                cell.is_some_and(|cell| cell.is_used())
            };
            let backed = control.backed.as_ref();
            if cell_used() || backed.is_some_and(|backed| backed.is_used(vector)) {
                return Err(VectorError::Used { vector });
            }
        }
        for cell in vectors.filter_map(|vector| self.inner.msix.touch(vector)) {
            cell.declare(kind);
        }
        Ok(())
    }

    /// Declares vectors that software raises where it intercepts the guest.
    ///
    /// # Errors
    /// As for [`Irqs::declare`].
    pub fn emulated(&self, vectors: Range<u32>) -> Result<(), VectorError> {
        self.declare(vectors, Kind::Emulated)
    }

    /// Declares vectors that are nothing but an eventfd.
    ///
    /// # Errors
    /// As for [`Irqs::declare`].
    pub fn plain(&self, vectors: Range<u32>) -> Result<(), VectorError> {
        self.declare(vectors, Kind::Plain)
    }

    /// Gives an IMS-backed vector a cookie of its own, or takes it away. It counts
    /// from the vector's next allocation on.
    ///
    /// # Errors
    /// [`VectorError::OutOfRange`], [`VectorError::NotBacked`].
    pub fn set_cookie(&self, vector: u32, cookie: Option<Cookie>) -> Result<(), VectorError> {
        self.backed(&mut self.control(), vector)?
            .set_cookie(vector, cookie);
        Ok(())
    }

    /// The index of the host's interrupt behind a vector, by which the device
    /// raises it in the port of its domain.
    ///
    /// # Errors
    /// [`VectorError::OutOfRange`], [`VectorError::NotBacked`];
    /// [`VectorError::NoTrigger`] if nothing is allocated.
    pub fn ims_index(&self, vector: u32) -> Result<u32, VectorError> {
        let mut control = self.control();
        let backed = self.backed(&mut control, vector)?;
        backed
            .index(vector)
            .ok_or(VectorError::NoTrigger { vector })
    }

    /// The handle of a vector. The same each time until the vector loses its
    /// trigger or the handle is revoked; after a revocation this allocates anew, with
    /// another index than the one that was revoked, unless the host has no other left.
    ///
    /// # Errors
    /// [`VectorError`]: out of range, not IMS-backed, without a trigger, or the
    /// host has no interrupt left.
    pub fn handle(&self, vector: u32) -> Result<Handle, VectorError> {
        let mut control = self.control();
        self.backed(&mut control, vector)?
            .handle(vector)
            .map_err(|source| VectorError::Backing { vector, source })?
            .ok_or(VectorError::NoTrigger { vector })
    }

    /// The index a handle names, if it has not been freed or revoked.
    pub fn resolve(&self, handle: Handle) -> Option<u32> {
        self.control().backed.as_ref()?.resolve(handle)
    }

    /// Masks an IMS-backed vector in its slot, or unmasks it: for a device whose
    /// guest masks vectors in a table that the client does not keep. A masked
    /// vector keeps one interrupt, whatever slot and trigger it has meanwhile,
    /// until it is unmasked or loses its trigger; an interrupt on its way when it is
    /// masked arrives. It stays masked through [`Irqs::reset`].
    ///
    /// # Errors
    /// [`VectorError::OutOfRange`], [`VectorError::NotBacked`].
    pub fn set_masked(&self, vector: u32, masked: bool) -> Result<(), VectorError> {
        self.backed(&mut self.control(), vector)?
            .set_masked(vector, masked);
        Ok(())
    }

    /// Signals the trigger of an IMS-backed vector, as an interrupt of its slot does: for
    /// a device that has to make its driver look. A masked vector keeps it; without a
    /// trigger nothing happens.
    ///
    /// # Errors
    /// [`VectorError::OutOfRange`], [`VectorError::NotBacked`].
    pub fn signal(&self, vector: u32) -> Result<(), VectorError> {
        self.backed(&mut self.control(), vector)?.signal(vector);
        Ok(())
    }

    /// Whether an IMS-backed vector keeps an interrupt: its bit of the pending-bit
    /// array.
    ///
    /// # Errors
    /// [`VectorError::OutOfRange`], [`VectorError::NotBacked`].
    pub fn is_pending(&self, vector: u32) -> Result<bool, VectorError> {
        let mut control = self.control();
        Ok(self.backed(&mut control, vector)?.is_pending(vector))
    }

    /// What there is to say of an IMS-backed vector.
    ///
    /// # Errors
    /// [`VectorError::OutOfRange`], [`VectorError::NotBacked`].
    pub fn report(&self, vector: u32) -> Result<BackedReport, VectorError> {
        let mut control = self.control();
        Ok(self.backed(&mut control, vector)?.report(vector))
    }

    /// Revokes a vector's handle: its slot is freed and its trigger stays. An
    /// interrupt on its way reaches the trigger; one that the slot kept pending is
    /// signalled now, or as the vector is unmasked. Says whether there was a handle
    /// to revoke.
    pub fn revoke(&self, vector: u32) -> bool {
        let mut control = self.control();
        let backed = control.backed.as_mut();
        backed.is_some_and(|backed| backed.revoke(vector))
    }

    /// Revokes every handle; says how many there were.
    pub fn revoke_all(&self) -> u32 {
        let mut control = self.control();
        control.backed.as_mut().map_or(0, BackedVectors::revoke_all)
    }

    /// Changes each time the index of any vector does: at an allocation, a free
    /// and a revocation. Cheap to watch; a device model that keeps indices reads
    /// it before it uses them and asks again if it has changed.
    pub fn generation(&self) -> u64 {
        // weaken: no model; whoever sees it move asks again under the lock
        self.inner.generation.load(Ordering::Acquire)
    }

    /// Whether an MSI-X vector has a trigger.
    pub fn has_trigger(&self, vector: u32) -> bool {
        let set = |cell: &super::Cell| cell.is_set();
        let control = self.control();
        let backed = control.backed.as_ref();
        self.inner.msix.get(vector).is_some_and(set)
            || backed.is_some_and(|backed| backed.is_set(vector))
    }

    fn in_range(&self, vector: u32) -> Result<(), VectorError> {
        let count = self.inner.msix.count();
        if vector < count {
            Ok(())
        } else {
            Err(VectorError::OutOfRange { vector, count })
        }
    }

    /// Where `vector` is, if it is IMS-backed.
    fn backed<'a>(
        &self,
        control: &'a mut Control,
        vector: u32,
    ) -> Result<&'a mut BackedVectors, VectorError> {
        self.in_range(vector)?;
        match &mut control.backed {
            Some(backed) if self.kind_of(vector) == Kind::Backed => Ok(backed),
            _ => Err(VectorError::NotBacked { vector }),
        }
    }
}
