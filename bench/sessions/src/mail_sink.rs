//! A mail server that accepts every mail, or that is out of order in one of two ways.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bench_kit::broken::Outcome;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How it treats its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It accepts all mails.
    Taking,
    /// It accepts connections and sends nothing.
    Mute,
    /// It accepts no connections: the listener's queue is full, and the kernel drops newcomers.
    Dropping,
}

/// A mail server on a free port; it ends when dropped.
pub(crate) struct MailSink {
    pub(crate) address: SocketAddr,
    mood: watch::Sender<Mood>,
    recipients: Arc<Mutex<BTreeSet<String>>>,
    /// Connections that keep the queue full.
    fillers: Vec<TcpStream>,
    _tasks: JoinSet<()>,
}

impl MailSink {
    pub(crate) async fn start(mood: Mood) -> Outcome<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(if mood == Mood::Dropping { 1 } else { 128 })?;
        let address = listener.local_addr()?;
        let mut fillers = Vec::new();
        if mood == Mood::Dropping {
            // Until one gets no answer; later ones will get none either.
            while let Ok(filler) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
                fillers.push(filler?);
            }
        }
        let (mood, told) = watch::channel(mood);
        let recipients = Arc::new(Mutex::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, told, Arc::clone(&recipients)));
        Ok(Self { address, mood, recipients, fillers, _tasks: tasks })
    }

    /// Accepts all mails from now on, over new connections; the old ones end.
    pub(crate) fn come_back(&mut self) {
        self.fillers.clear();
        self.mood.send_replace(Mood::Taking);
    }

    /// The number of different addresses with an accepted mail.
    pub(crate) fn recipients(&self) -> usize {
        self.recipients.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

async fn accept(listener: TcpListener, mut mood: watch::Receiver<Mood>, recipients: Arc<Mutex<BTreeSet<String>>>) {
    let mut mute = Vec::new();
    let mut conversations = JoinSet::new();
    loop {
        let present = *mood.borrow_and_update();
        if present == Mood::Taking {
            mute.clear();
        }
        tokio::select! {
            changed = mood.changed() => if changed.is_err() { return },
            accepted = listener.accept(), if present != Mood::Dropping => {
                let Ok((stream, _)) = accepted else { continue };
                if present == Mood::Mute {
                    mute.push(stream);
                } else {
                    let recipients = Arc::clone(&recipients);
                    conversations.spawn(async move {
                        // A client that leaves early has delivered nothing.
                        let _: std::io::Result<()> = converse(stream, &recipients).await;
                    });
                }
            }
            Some(_) = conversations.join_next(), if !conversations.is_empty() => {}
        }
    }
}

/// RFC 5321, for clients that make no mistakes.
async fn converse(stream: TcpStream, recipients: &Mutex<BTreeSet<String>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink\r\n").await?;
    let (mut line, mut recipient, mut is_content) = (String::new(), String::new(), false);
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer: &[u8] = match line.get(..4).unwrap_or(&line) {
            _ if is_content && line != ".\r\n" => continue,
            _ if is_content => {
                is_content = false;
                recipients.lock().unwrap_or_else(PoisonError::into_inner).insert(std::mem::take(&mut recipient));
                b"250 taken\r\n"
            }
            "RCPT" => {
                line.trim().clone_into(&mut recipient);
                b"250 ok\r\n"
            }
            "DATA" => {
                is_content = true;
                b"354 go on\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        stream.write_all(answer).await?;
    }
}
