/* A memory hit, compiled: what Python does for a request that carries one secret, in a header, of a key that memory
   holds and that may be used now.

   call ──> Request ──first step──> one header with a secret? ──> SHA-256 ──> record ──> lease, time in memory, expiry
   hit_first.c  request.c               let_in.c │ no                           │ no        │ no      memory.c │ yes
                                                 └──> Python's `__call__` <─────┴───────────┘                  v
                                                 ^                                     scope, context, watched `send`
                                                 └── failed, streamed, nested ──────── the app runs     served.c

   The Python code is the reference. What is not such a request goes the way, with nothing touched, that it goes where
   nothing was compiled: no refusal is decided here. Nothing here lets go of the interpreter's lock. */

#include "hit.h"

struct words word;

static int
execute(PyObject *module)
{
    const struct {
        PyObject **word;
        const char *text;
    } words[] = {
#define GATEPOST_TEXT(name) {&word.name, #name},
        GATEPOST_WORDS(GATEPOST_TEXT)
        {&word.start, "http.response.start"},
        {&word.name, "__call__"},
        {&word.outcome, "gatepost.outcome"},
        {&word.qualname, "APIKeyMiddleware.__call__"},
    };
    for (size_t at = 0; at < Py_ARRAY_LENGTH(words); at++) {
        Py_XSETREF(*words[at].word, PyUnicode_InternFromString(words[at].text));
        if (*words[at].word == NULL) {
            return -1;
        }
    }
    PyTypeObject *types[] = {&MemoryHit_Type, &LetIn_Type, &HitFirst_Type, &Served_Type, &Request_Type,
                             &Cell_Type, &Tally_Type};
    for (size_t at = 0; at < Py_ARRAY_LENGTH(types); at++) {
        if (PyModule_AddType(module, types[at]) != 0) {
            return -1;
        }
    }
    return PyModule_AddStringConstant(module, "SOURCES", GATEPOST_SOURCES);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
#if PY_VERSION_HEX >= 0x030C0000 /* others run Python */
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static PyMethodDef methods[] = {
    {"find_openssl", find_openssl, METH_O,
     "Hash by the OpenSSL 3 that this library has loaded, if it has; `None` = by hashlib."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_hit",
    .m_doc = "A memory hit, compiled.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__hit(void)
{
    return PyModuleDef_Init(&definition);
}
