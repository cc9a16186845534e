// Package execute runs a credential helper: one executable out of one checked
// folder, with an explicit environment, under one deadline, with capped output,
// and with nothing left behind when the call is over.
//
// A call goes through these steps, each of which ends it with a typed error:
//
//  1. The helper's type is a plain name and a member of the set the caller
//     gave. The file name is made from it; PATH is never looked at.
//  2. The folder, every folder above it and every symbolic link on the way
//     belong to root or to the user who runs this, and nobody else can write
//     there. A parent with the sticky bit, such as /tmp, may be writable by
//     all, because nobody but the owner can rename or remove what lies in it;
//     the folder itself may not.
//  3. The helper is opened, and the opened file is checked the same way. On
//     Linux the opened file is what is executed, on Windows it cannot be
//     replaced while it is open, elsewhere the path is compared with it once
//     more just before the start.
//  4. The child gets the environment of the call and nothing else, "/" as
//     working folder, and pipes for standard input, output and error.
//     Material goes through one more pipe, whose number the child finds in
//     BETA9_CREDENTIAL_FD; it is not on argv, in an environment or in a file.
//  5. The child leads a process group (a job on Windows). The whole group is
//     killed when the deadline passes, when the caller cancels, when standard
//     output exceeds its cap, and when the child has ended. On Linux the child
//     also dies with the process that started it; Windows does the same
//     through the job; elsewhere the helper's own deadline has to do.
//
// What the package cannot do: a descendant that leaves the process group
// (setsid), or that becomes another user, is not killed, only cut off.
package execute
