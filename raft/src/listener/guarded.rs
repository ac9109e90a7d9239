//! A connection that ends when it costs more than it may: it says nothing at its beginning, it takes
//! nothing of what it asked for, or it sends frames that ask for nothing, without end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::Limits;
use super::frames::{Exceeded, Frames};

/// A stream, and what is held against it.
pub(super) struct Guarded<S> {
    stream: S,
    frames: Frames,
    /// Runs while it is not known what the connection speaks.
    greeting: Option<Pin<Box<Sleep>>>,
    /// Runs while the other end takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    stall: Duration,
}

impl<S> Guarded<S> {
    /// From the end of the handshake on.
    pub(super) fn new(stream: S, limits: &Limits) -> Self {
        Self {
            stream,
            frames: Frames::new(limits.frames, Instant::now()),
            greeting: Some(Box::pin(sleep(limits.handshake))),
            stalled: None,
            stall: limits.stall,
        }
    }

    /// Passes an outcome of writing on, unless there was none for too long.
    fn taken<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let stall = self.stall;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
        timer.as_mut().poll(context).map(|()| Err(ended("the other end took nothing for too long")))
    }
}

fn ended(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, reason)
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = outcome {
            let received = &buffer.filled()[before..];
            if let Err(Exceeded) = self.frames.received(received, Instant::now()) {
                return Poll::Ready(Err(ended("too many frames that ask for nothing")));
            }
            if !self.frames.is_greeting() {
                self.greeting = None;
            }
        } else if let Some(timer) = &mut self.greeting
            && timer.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(ended("nothing was asked in time")));
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = outcome {
            self.frames.sent(written);
        }
        self.taken(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        if let Poll::Ready(Ok(written)) = outcome {
            self.frames.sent(written);
        }
        self.taken(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.taken(outcome, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.taken(outcome, context)
    }
}
