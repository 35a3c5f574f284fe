// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Letting go, and being told when everybody has.

use std::fmt;

use crate::sync::Arc;

/// Kept by everyone who may still touch what is being taken away. When the last
/// clone is dropped, whoever waits is told.
///
/// # Concurrency
/// Clones may live on any thread. What a holder did before it dropped its clone
/// happens before the call.
#[derive(Clone)]
pub struct Hold {
    _bell: Arc<Bell>,
}

/// What is called when it is dropped.
struct Bell(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Drop for Bell {
    fn drop(&mut self) {
        if let Some(ring) = self.0.take() {
            ring();
        }
    }
}

impl Hold {
    /// A hold; `gone` is called once, by whoever drops the last clone. It must
    /// not block: that may be any thread.
    pub fn new(gone: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self {
            _bell: Arc::new(Bell(Some(Box::new(gone)))),
        }
    }

    /// A hold nobody waits for.
    pub fn nobody() -> Self {
        Self {
            _bell: Arc::new(Bell(None)),
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn the_last_clone_tells_and_it_tells_once() {
        let told = Arc::new(AtomicU32::new(0));
        let hold = Hold::new({
            let told = Arc::clone(&told);
            move || {
                told.fetch_add(1, Ordering::Relaxed);
            }
        });
        let other = hold.clone();
        drop(hold);
        assert_eq!(told.load(Ordering::Relaxed), 0);
        std::thread::spawn(move || drop(other)).join().unwrap();
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }
}
