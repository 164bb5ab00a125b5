"""The chapters of the Library Reference, merged into nine classes of similar size.

A name is that of a module, or of a package with everything in it. Modules that are missing from a
Python version are skipped. Private modules are listed if they hold the source of a public one.
"""

from __future__ import annotations

CHAPTERS: dict[str, str] = {
    # Internet Protocols and Support; Internet Data Handling.
    "internet": """
        base64 cgi cgitb email ftplib http imaplib ipaddress json mailbox mailcap mimetypes netrc
        nntplib poplib quopri smtpd smtplib socketserver telnetlib urllib uu uuid webbrowser
        wsgiref xmlrpc
    """,
    # Concurrent Execution; Networking and Interprocess Communication.
    "concurrency": """
        _threading_local asynchat asyncio asyncore concurrent contextvars multiprocessing queue
        sched selectors signal socket ssl subprocess threading
    """,
    # File and Directory Access; Data Persistence; Data Compression and Archiving.
    "files": """
        _compression bz2 compression copyreg dbm filecmp fileinput fnmatch genericpath glob gzip
        linecache lzma ntpath pathlib pickle posixpath shelve shutil sqlite3 stat tarfile tempfile
        zipfile _pyio io
    """,
    # Text Processing Services; Binary Data Services; Structured Markup Processing Tools; File
    # Formats; Internationalization.
    "text": """
        _markupbase codecs configparser csv difflib gettext html locale plistlib re
        sre_compile sre_constants sre_parse string stringprep struct textwrap tomllib xdrlib xml
    """,
    # Numeric and Mathematical Modules; the dates of Data Types; random numbers.
    "numbers and dates": """
        _pydatetime _pydecimal _strptime calendar datetime decimal fractions numbers random secrets
        statistics zoneinfo
    """,
    # Data Types except dates; Functional Programming Modules; typing.
    "data types": """
        _collections_abc _py_abc _weakrefset abc bisect collections copy dataclasses enum functools
        graphlib heapq operator pprint reprlib types typing weakref
    """,
    # Generic Operating System Services; Unix Specific Services; Program Frameworks; Cryptography.
    "operating system": """
        _aix_support _osx_support argparse cmd crypt ctypes curses getopt getpass hashlib hmac
        logging optparse os pipes platform pty rlcompleter shlex tty
    """,
    # Development Tools; Debugging and Profiling; Software Packaging and Distribution.
    "development": """
        bdb cProfile distutils doctest pdb profile profiling pstats pydoc timeit trace tracemalloc
        unittest venv zipapp
    """,
    # Python Runtime Services; Importing Modules; Python Language Services; Custom Interpreters.
    "language": """
        __future__ _bootsubprocess _py_warnings _sitebuiltins annotationlib ast code codeop
        compileall contextlib dis imp importlib inspect keyword modulefinder opcode pickletools
        pkgutil py_compile pyclbr runpy site symtable sysconfig tabnanny token tokenize traceback
        warnings zipimport
    """,
}

CHAPTER_OF: dict[str, str] = {
    module: chapter for chapter, modules in CHAPTERS.items() for module in modules.split()
}
"""Module or package to its class."""
