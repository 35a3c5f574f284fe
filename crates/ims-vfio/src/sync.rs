// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Locks and counts: the standard library's, or `loom`'s in a model check.

#[cfg_attr(loom, path = "sync/place_model.rs")]
#[cfg_attr(not(loom), path = "sync/place.rs")]
mod place;

pub(crate) use ims::sync::{AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::{Arc, Condvar, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub(crate) use place::Place;
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, Condvar, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
