"""The initial file system of the guest: busybox, some modules, `init` beside this file, and a task."""
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
BUSYBOX = "/bin/busybox"
FOLDERS = ("bin", "sbin", "dev", "proc", "sys")


def copy_modules(kernel, version, root):
    """Those that fetch_kernel left, with modprobe's tables of them."""
    path = os.path.join("lib", "modules", version)
    shutil.copytree(os.path.join(kernel, path), os.path.join(root, path))
    subprocess.run(["/sbin/depmod", "-b", root, version], check=True, stderr=subprocess.DEVNULL)


def entry(number, name, mode, content=b""):
    """One of a cpio archive, as the kernel wants it (its Documentation, initramfs buffer format)."""
    name = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def archive(root):
    entries = []
    for directory, folders, files in os.walk(root):
        for name in sorted(folders + files):
            path = os.path.join(directory, name)
            content = b""
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    content = file.read()
            entries.append(entry(len(entries) + 1, os.path.relpath(path, root), os.lstat(path).st_mode,
                                 content))
    return b"".join(entries) + entry(0, "TRAILER!!!", 0)


def make_image(kernel, version, task, folder):
    """Path of an image, in `folder`, whose guest runs the shell command `task`."""
    root = os.path.join(folder, "root")
    for name in FOLDERS:
        os.makedirs(os.path.join(root, name))
    copy_modules(kernel, version, root)
    for name in (BUSYBOX.lstrip("/"), "sbin/modprobe"):
        shutil.copy(BUSYBOX, os.path.join(root, name))
    shutil.copy(os.path.join(HERE, "init"), os.path.join(root, "init"))
    os.chmod(os.path.join(root, "init"), 0o755)
    with open(os.path.join(root, "task"), "w", encoding="utf-8") as file:
        file.write(task)
    path = os.path.join(folder, "image")
    with open(path, "wb") as file:
        file.write(archive(root))
    return path
